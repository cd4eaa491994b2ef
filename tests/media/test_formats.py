"""What output formats cannot hold is refused in one line, with nothing written."""

import numpy as np
import pytest
from PIL import Image, features

from vqvae.errors import ImageError
from vqvae.media.formats import check_writable
from vqvae.media.images import Picture, read_picture, write_image, write_picture

FORMAT_OF = {".webp": "webp", ".avif": "avif"}


def skip_unless_written(suffix: str) -> None:
    if suffix in FORMAT_OF and not features.check(FORMAT_OF[suffix]):
        pytest.skip(f"this Pillow has no {suffix}")


def refused(picture: Picture, path, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        write_picture(picture, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not path.exists() and not list(path.parent.glob(".*"))


@pytest.mark.parametrize(
    ("suffix", "most"),
    [
        (".webp", 16383),
        (".avif", 32768),
        (".jpg", 65500),
        (".gif", 65535),
        (".tga", 65535),
        (".sgi", 65535),
        (".ico", 256),
    ],
)
def test_sides_that_a_format_holds_are_written_and_longer_ones_refused(tmp_path, suffix, most):
    skip_unless_written(suffix)
    for shape in ((1, most, 3), (most, 1, 3)):
        write_image(np.zeros(shape, np.uint8), tmp_path / f"image{suffix}")
        assert read_picture(tmp_path / f"image{suffix}").pixels.shape == shape
        longer = np.zeros([side + (side > 1) for side in shape[:2]] + [3], np.uint8)
        refused(Picture(longer), tmp_path / f"longer{suffix}", f"pixels, but .* holds {most} pixels in each direction")


def test_sizes_can_be_asked_about_before_anything_is_computed(tmp_path):
    assert check_writable(tmp_path / "a.png", 10**6, 1) == "PNG"
    with pytest.raises(ImageError, match=r"a\.jpg: 2×100000 pixels, but JPEG holds 65500"):
        check_writable(tmp_path / "a.jpg", 100_000, 2)


@pytest.mark.parametrize("shape", [(37, 53), (16, 16), (5, 200)])
def test_an_icon_is_of_its_own_size(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    write_image(pixels, tmp_path / "image.ico")
    assert np.array_equal(read_picture(tmp_path / "image.ico").pixels, pixels)


def test_a_format_of_scaled_copies_is_refused(photo, tmp_path):
    refused(Picture(photo), tmp_path / "image.icns", "ICNS made .* pixels of 53×37: use .png")


def test_greyscale_is_written_in_colour_where_a_format_has_no_grey(photo, tmp_path):
    grey = np.repeat(photo[..., :1], 3, 2)
    write_picture(Picture(grey, grey=True), tmp_path / "image.qoi")
    assert np.array_equal(read_picture(tmp_path / "image.qoi").pixels, grey)


@pytest.mark.parametrize("suffix", [".blp", ".xbm", ".msp", ".wmf", ".grib"])
@pytest.mark.parametrize("grey", [True, False])
def test_what_pillow_cannot_write_is_one_line(photo, tmp_path, suffix, grey):
    grey_photo = np.repeat(photo[..., :1], 3, 2)
    refused(Picture(grey_photo if grey else photo, grey), tmp_path / f"image{suffix}", "cannot (hold it|write)")


@pytest.mark.parametrize("suffix", [".avif", ".jpg", ".gif"])
def test_transparency_that_would_be_changed_is_refused(photo, tmp_path, suffix):
    skip_unless_written(suffix)
    refused(
        Picture(photo, alpha=photo[..., 0].copy()), tmp_path / f"image{suffix}", "transparency without loss: use .png"
    )


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jp2"])
@pytest.mark.parametrize("grey", [True, False])
def test_transparency_is_written_without_loss(photo, tmp_path, suffix, grey):
    pixels = np.repeat(photo[..., :1], 3, 2) if grey else photo
    write_picture(Picture(pixels, grey, photo[..., 1].copy()), tmp_path / f"image{suffix}")
    assert np.array_equal(read_picture(tmp_path / f"image{suffix}").alpha, photo[..., 1])


def test_metadata_too_long_for_a_jpeg_is_left_out_by_name(photo, tmp_path):
    exif = Image.Exif()
    exif[0x10E] = "x" * 65600
    for metadata, left_out in (
        ({"exif": exif.tobytes()}, ["EXIF"]),
        ({"xmp": b"x" * 65505}, ["XMP"]),
        ({"xmp": b"x" * 65504}, []),
    ):
        assert write_picture(Picture(photo, **metadata), tmp_path / "image.jpg") == left_out
        assert write_picture(Picture(photo, **metadata), tmp_path / "image.png") == []


def test_xmp_that_is_no_text_is_kept_byte_for_byte(photo, tmp_path):
    write_picture(Picture(photo, xmp=b"\xff\xfe<x/>"), tmp_path / "image.png")
    assert read_picture(tmp_path / "image.png", metadata=True).xmp == b"\xff\xfe<x/>"
