"""`--quality`, `--bpp` and `--psnr`, of a variable-rate model."""

import json
from pathlib import Path

import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from tests.cli.conftest import errors
from tests.conftest import smooth_pictures
from vqvae.media.images import read_image


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(smooth_pictures(2, 96)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    return folder


def test_a_quality_makes_files_smaller_or_better(vqvae, pictures, many_rates_model, tmp_path):
    reached = {}
    for quality in (0, 30, 100):
        said = vqvae("eval", pictures, "--model", many_rates_model, "--quality", quality, "--json", "-")
        reached[quality] = json.loads(said.stdout)
    assert reached[0]["bpp"] < reached[30]["bpp"] < reached[100]["bpp"]
    assert reached[0]["psnr_mean"] < reached[30]["psnr_mean"] < reached[100]["psnr_mean"]
    vqvae("encode", pictures, "-o", tmp_path / "small", "--model", many_rates_model, "--quality", 30)
    sizes = sum((tmp_path / "small" / f"{number}.vqz").stat().st_size for number in range(2))
    assert sizes * 8 / (2 * 96 * 96) == pytest.approx(reached[30]["bpp"])
    assert "--quality" in vqvae("encode", pictures, "--quality", 200, code=2).output


def test_bits_per_pixel_are_kept_to(vqvae, pictures, many_rates_model, tmp_path):
    vqvae("encode", pictures, "-o", tmp_path / "small", "--model", many_rates_model, "--bpp", 0.15)
    for number in range(2):
        assert 0.1 < (tmp_path / "small" / f"{number}.vqz").stat().st_size * 8 / 96**2 <= 0.15
    said = vqvae("encode", pictures, "--model", many_rates_model, "--bpp", 0.001, code=1)
    assert len(errors(said)) == 2
    for number, error in enumerate(errors(said)):
        assert f"{number}.png: 0.001 bpp cannot be reached: quality 0 takes" in error


def test_a_psnr_is_kept_to(vqvae, pictures, many_rates_model, tmp_path):
    vqvae("encode", pictures, "-o", tmp_path / "good", "--model", many_rates_model, "--psnr", 24)
    vqvae("decode", tmp_path / "good", "-o", tmp_path / "back", "--model", many_rates_model)
    for number in range(2):
        before, after = (read_image(folder / f"{number}.png") for folder in (pictures, tmp_path / "back"))
        assert peak_signal_noise_ratio(before, after) >= 24
    said = vqvae("encode", pictures, "--model", many_rates_model, "--psnr", 99, code=1)
    assert len(errors(said)) == 2
    for number, error in enumerate(errors(said)):
        assert f"{number}.png: 99 dB cannot be reached: quality 100 has" in error


@pytest.mark.parametrize(
    "options, reason",
    [
        (["--model", "tiny", "--quality", 50], "one rate"),
        (["--model", "tiny", "--bpp", 0.5], "one rate"),
        (["--bpp", 0.5, "--quality", 50], "all choose the rate"),
        (["--bpp", 0.5, "--psnr", 30], "all choose the rate"),
        (["--bpp", 0.5, "--archive", "x.vqa"], "--archive adds whole images"),
        (["--bpp", 0, "--archive", "x.vqa"], "--archive adds whole images"),
    ],
)
def test_a_rate_that_cannot_be_chosen_is_a_wrong_usage(vqvae, pictures, options, reason):
    result = vqvae("encode", pictures, *options, code=2)
    assert reason in result.output
