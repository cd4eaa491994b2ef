"""Which model is taken where none is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vqvae.formats.vqa.reader import Archive
from vqvae.models import store
from vqvae.models.store import default_model


@pytest.fixture
def bundled(vqvae, tiny_model: Path, many_rates_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command with two models bundled: one for small images, and one with many rates."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    for name, path in {"small": tiny_model, "photo": many_rates_model}.items():
        shutil.copy(path, folder / f"{name}.safetensors")
    monkeypatch.setattr(store, "FOLDER", folder)
    monkeypatch.setattr(store, "SMALL_IMAGES", "small")
    monkeypatch.setattr(store, "PHOTOGRAPHS", "photo")
    return vqvae


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """64.png, as large as a small image may be, and 65.png."""
    folder = tmp_path / "images"
    folder.mkdir()
    for width in (64, 65):
        noise = np.random.default_rng(width).integers(0, 256, (64, width, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{width}.png")
    return folder


def model_of(run, file: Path) -> str:
    return next(line.split()[1] for line in run("info", file).output.splitlines() if line.startswith("model: "))


def test_each_image_gets_the_model_for_its_size_and_decoding_finds_it_again(bundled, images):
    bundled("encode", images)
    assert [model_of(bundled, images / name) for name in ("64.vqz", "65.vqz")] == ["small", "photo"]
    bundled("decode", images / "64.vqz", images / "65.vqz", "--force")


@pytest.mark.parametrize("option", [("--quality", 30), ("--bpp", 4)])
def test_whoever_chooses_a_rate_gets_a_model_that_has_many(bundled, images, option):
    bundled("encode", images / "64.png", *option)
    assert model_of(bundled, images / "64.vqz") == "photo"


@pytest.mark.parametrize("first, model", [("64.png", "small"), ("65.png", "photo")])
def test_an_archive_has_the_model_for_its_first_image_and_keeps_it(bundled, images, tmp_path, first, model):
    archive = tmp_path / "all.vqa"
    bundled("encode", images / first, "--archive", archive)
    bundled("encode", images, "--archive", archive)
    assert model_of(bundled, archive) == model and len(Archive(archive)) == 2


def test_an_archive_of_one_rate_has_no_quality(bundled, images, tmp_path):
    bundled("encode", images / "64.png", "--archive", tmp_path / "all.vqa")
    result = bundled("encode", images, "--archive", tmp_path / "all.vqa", "--quality", 30, code=2)
    assert "one rate" in result.output


def test_a_folder_is_evaluated_with_the_model_for_the_first_image_that_can_be_read(bundled, images):
    (images / "00.png").write_text("no image")
    assert "model small" in bundled("eval", images, code=1).output
    assert "model photo" in bundled("eval", images / "65.png").output


def test_the_model_for_photographs_begins_above_64_by_64_pixels():
    assert [default_model(pixels).stem for pixels in (1, 64 * 64, 64 * 64 + 1)] == [
        "cifar10-rvq-16",
        "cifar10-rvq-16",
        "photo",
    ]
    assert default_model(1, variable_rate=True).stem == "photo"
