"""The plug-in for Pillow, as those who only know Pillow use it."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

import vqvae.pillow
from tests.profiles import DISPLAY_P3
from vqvae.errors import UsageError

RESIDUAL = "cifar10-rvq-16"


@pytest.fixture
def saved(photo: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "photo.vqz"
    Image.fromarray(photo).save(path)
    return path


def test_an_image_saved_by_its_suffix_opens_again_as_the_codec_decodes_it(saved, photo):
    with Image.open(saved) as image:
        assert (image.format, image.mode, image.size) == ("VQZ", "RGB", (53, 37))
        assert image.get_format_mimetype() == "image/x-vqz"
        assert np.array_equal(image, vqvae.decompress_picture(saved.read_bytes()).pixels)
    assert saved.read_bytes() == vqvae.load(RESIDUAL).compress(photo)  # as the command line does with small images


def test_opening_decodes_nothing_and_does_not_even_load_torch(saved):
    code = f"""
import sys, vqvae.pillow
from PIL import Image
image = Image.open({str(saved)!r})
print(image.size, image.mode, "torch" in sys.modules)
image.getpixel((0, 0))
print("torch" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "(53, 37) RGB False\nTrue\n"


def test_a_higher_quality_makes_a_larger_and_better_file(photo):
    image, files = Image.fromarray(np.tile(photo, (2, 2, 1))), []
    for quality in (10, 90):
        files.append(BytesIO())
        image.save(files[-1], "VQZ", quality=quality)
    low, high = (np.square(np.asarray(Image.open(file), float) - np.asarray(image)).mean() for file in files)
    assert files[0].tell() < files[1].tell() and low > 1.2 * high
    with pytest.raises(UsageError, match="from 0 to 100"):
        image.save(BytesIO(), "VQZ", quality=101)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_greyscale_and_transparency_stay_what_they_are(photo, mode):
    image = Image.fromarray(photo).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(photo[..., 0]))
    file = BytesIO()
    image.save(file, "VQZ")
    back = Image.open(file)
    assert back.mode == mode
    back.load()
    if mode.endswith("A"):
        assert np.array_equal(back.getchannel("A"), photo[..., 0])


def test_modes_of_few_colours_are_saved_as_what_they_show_and_deep_ones_refused(photo):
    palette, file = Image.fromarray(photo).quantize(16), BytesIO()
    palette.save(file, "VQZ")
    expected = BytesIO()
    palette.convert("RGB").save(expected, "VQZ")
    assert file.getvalue() == expected.getvalue()
    with pytest.raises(OSError, match="mode I;16, more than 8 bits"):
        Image.fromarray(photo[..., 0].astype(np.uint16)).save(file, "VQZ")


def test_profile_exif_and_xmp_come_back(photo):
    exif = Image.Exif()
    exif[0x010E] = "a pier"
    image, file = Image.fromarray(photo), BytesIO()
    image.info["icc_profile"] = DISPLAY_P3
    image.save(file, "VQZ", exif=exif, xmp=b"<x/>")
    back = Image.open(file)
    assert (back.info["icc_profile"], back.info["xmp"]) == (DISPLAY_P3, b"<x/>")
    assert back.getexif()[0x010E] == "a pier"


def test_a_thumbnail_of_a_progressive_file_is_made_from_its_first_stages(photo):
    file = BytesIO()
    Image.fromarray(photo).save(file, "VQZ", progressive=True, model=RESIDUAL)
    half = Image.open(file)
    assert half.draft(None, (26, 18)) == ("RGB", (0, 0, 53, 37))  # two stages of four
    assert np.array_equal(half, vqvae.decompress_picture(file.getvalue(), stages=2).pixels)
    small = Image.open(file)
    small.thumbnail((8, 8), reducing_gap=1.0)
    assert small.size == (8, 6)
    coarse = Image.fromarray(vqvae.decompress_picture(file.getvalue(), stages=1).pixels)
    assert np.array_equal(small, coarse.resize((8, 6), Image.Resampling.BICUBIC, reducing_gap=1.0))


def test_images_of_other_models_open_once_the_model_is_added(photo, tiny_model, tiny_codec, monkeypatch):
    monkeypatch.setattr(vqvae.pillow, "_models", [])
    file = BytesIO()
    Image.fromarray(photo).save(file, "VQZ", model=tiny_model)
    with pytest.raises(OSError, match="add_model"):
        Image.open(file).load()
    vqvae.pillow.add_model(tiny_model)
    assert np.array_equal(Image.open(file), tiny_codec.decompress(file.getvalue()))


def test_damaged_files_are_os_errors(saved):
    data = saved.read_bytes()
    with pytest.raises(OSError, match="truncated"):
        Image.open(BytesIO(data[:10]))
    with pytest.raises(OSError, match="corrupt"):
        Image.open(BytesIO(data[:-5] + bytes(5))).load()
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(b"VQA" + data[3:]))  # the beginning of an archive


def test_an_effort_is_passed_on(photo):
    file = BytesIO()
    Image.fromarray(photo).save(file, "VQZ", effort=1)
    assert file.getvalue() == vqvae.load("photo").compress(photo, effort=1)


def test_imageio_reads_through_it(saved):
    assert np.array_equal(imageio.imread(saved), np.asarray(Image.open(saved)))
