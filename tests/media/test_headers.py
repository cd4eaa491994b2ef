"""What files say of their pixels, and Pillow does not, is heeded or refused."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, features

from tests.media.files import avif_with, png
from vqvae.errors import ImageError
from vqvae.media.images import read_picture

DEEP = Path(__file__).with_name("deep")
"""Of more than 8 bits a channel; AVIF by libavif, JPEG 2000 by OpenJPEG (imagecodecs 2026.3.6)."""

NEEDED = {".avif": "avif", ".jp2": "jpg_2000", ".j2k": "jpg_2000"}
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def refused(path: Path, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read_picture(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(DEEP.iterdir()), ids=lambda path: path.name)
def test_more_than_eight_bits_are_refused_where_pillow_gives_eight(path):
    if not features.check(NEEDED[path.suffix]):
        pytest.skip(f"this Pillow has no {path.suffix}")
    with Image.open(path) as image:
        image.load()
        assert image.mode in ("RGB", "RGBA", "L", "LA")
    bits = int("".join(filter(str.isdigit, path.stem)))
    refused(path, f"has {bits}-bit channels, more than 8 bits each: convert it to 8 bits first")


@pytest.mark.parametrize("largest", [256, 1023, 4095, 65535])
@pytest.mark.parametrize("head", ["P6 2 1 {}\n", "P6\n# a comment\n2 1\n#another\n{}\n", "P5 2 1 {}\n", "P3 2 1 {}\n"])
def test_pnm_files_of_larger_values_than_255_are_refused(tmp_path, largest, head):
    plain = head.startswith("P3")
    data = b"0 1 2 3 4 5" if plain else bytes(range(12))
    (tmp_path / "deep.ppm").write_bytes(head.format(largest).encode() + data)
    refused(tmp_path / "deep.ppm", f"has {largest.bit_length()}-bit channels")


@pytest.mark.parametrize("largest", [1, 15, 255])
def test_pnm_files_of_smaller_values_are_scaled_to_255(tmp_path, largest):
    (tmp_path / "image.ppm").write_bytes(f"P6 2 1 {largest}\n".encode() + bytes([0, largest, 0, largest, 0, largest]))
    assert read_picture(tmp_path / "image.ppm").pixels.tolist() == [[[0, 255, 0], [255, 0, 255]]]


def test_bitmaps_have_no_largest_value(tmp_path):
    (tmp_path / "image.pbm").write_bytes(b"P4 2 1\n" + b"\x40")
    assert read_picture(tmp_path / "image.pbm").pixels[..., 0].tolist() == [[255, 0]]


@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("order", "<>")
def test_sixteen_bit_tiffs_are_refused_however_their_channels_lie(tmp_path, layout, order):
    pixels = np.zeros((3, 4, 5) if layout == "separate" else (4, 5, 3), np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", pixels, byteorder=order, photometric="rgb", planarconfig=layout)
    refused(tmp_path / "deep.tif", "has 16-bit channels")


def test_signed_numbers_are_refused(tmp_path):
    levels = np.array([[0, 1], [2, 127]])
    tifffile.imwrite(tmp_path / "unsigned.tif", levels.astype(np.uint8))
    assert np.array_equal(read_picture(tmp_path / "unsigned.tif").pixels[..., 0], levels)
    tifffile.imwrite(tmp_path / "signed.tif", levels.astype(np.int8))
    refused(tmp_path / "signed.tif", "signed numbers: convert it to unsigned ones first")


JP2 = Path(__file__).with_name("jp2")
"""Of a row 0, 1, 2 … of levels, as many as the bits have, again and again; by OpenJPEG (imagecodecs 2026.3.6)."""

needs_jp2 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow has no JPEG 2000")


@needs_jp2
@pytest.mark.parametrize(("name", "bits"), [("grey1", 1), ("rgb2", 2), ("grey4", 4)])
def test_jpeg_2000_of_few_bits_reaches_white(name, bits):
    """Pillow moves the bits up, so that the brightest of 4 bits would be 240."""
    pixels = read_picture(JP2 / f"{name}.jp2").pixels
    assert np.unique(pixels).tolist() == [level * 255 // (2**bits - 1) for level in range(2**bits)]


@needs_jp2
def test_jpeg_2000_of_signed_numbers_is_refused():
    refused(JP2 / "signed8.jp2", "signed numbers: convert it to unsigned ones first")


def test_channels_that_mean_nothing_are_named_as_lost(photo, tmp_path):
    image = np.dstack([photo, photo])
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="rgb", extrasamples=[0, 0, 0])
    picture = read_picture(tmp_path / "image.tif")
    assert np.array_equal(picture.pixels, photo) and picture.lost == ("extra channels",)


def test_drawings_and_icons_of_several_sizes_are_refused(tmp_path):
    image = Image.new("RGB", (32, 32))
    image.save(tmp_path / "image.eps")
    refused(tmp_path / "image.eps", "is a drawing, .*: save it as .png first")
    image.save(tmp_path / "several.ico", sizes=[(16, 16), (32, 32)])
    refused(tmp_path / "several.ico", "has 2 frames")
    image.save(tmp_path / "one.ico", sizes=[(32, 32)])
    assert read_picture(tmp_path / "one.ico").pixels.shape == (32, 32, 3)


def test_sixteen_bit_sgi_files_are_refused(photo, tmp_path):
    for bytes_per_channel in (1, 2):
        Image.fromarray(photo).save(tmp_path / "image.sgi", bpc=bytes_per_channel)
        if bytes_per_channel == 1:
            assert np.array_equal(read_picture(tmp_path / "image.sgi").pixels, photo)
        else:
            refused(tmp_path / "image.sgi", "has 16-bit channels")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_grey_level_of_a_png_is_kept(tmp_path, bits):
    levels = list(range(min(2**bits, 16)))
    packed = int("".join(f"{level:0{bits}b}" for level in levels), 2) << -len(levels) * bits % 8
    row = packed.to_bytes(-(-len(levels) * bits // 8), "big")
    for level in levels:
        named = struct.pack(">H", level | 256 * (level % 2))  # only the lowest bits count
        (tmp_path / "image.png").write_bytes(png([row], len(levels), bits, 0, tRNS=named))
        picture = read_picture(tmp_path / "image.png")
        assert picture.alpha is not None
        assert [alpha == 0 for alpha in picture.alpha[0]] == [other == level for other in levels]
        assert picture.pixels[0, :, 0].tolist() == [other * 255 // (2**bits - 1) for other in levels]


def test_the_transparent_colour_of_a_png_is_kept(tmp_path):
    (tmp_path / "image.png").write_bytes(png([bytes(range(6))], 2, 8, 2, tRNS=struct.pack(">HHH", 3, 4, 256 + 5)))
    alpha = read_picture(tmp_path / "image.png").alpha
    assert alpha is not None and alpha.tolist() == [[255, 0]]


def clap(width: Fraction, height: Fraction, right: Fraction, down: Fraction) -> bytes:
    parts = [part for number in (width, height, right, down) for part in (number.numerator, number.denominator)]
    return struct.pack(">IIIIiIiI", *parts)


@needs_avif
@pytest.mark.parametrize(("left", "top", "width", "height"), [(12, 7, 16, 16), (0, 0, 40, 29), (39, 29, 1, 1)])
def test_an_avif_is_cropped_to_its_clean_aperture(tmp_path, left, top, width, height):
    pixels = np.asarray(Image.radial_gradient("L").resize((40, 30)).convert("RGB"))
    off = Fraction(2 * left + width - 40, 2), Fraction(2 * top + height - 30, 2)
    data = clap(Fraction(width), Fraction(height), *off)
    (tmp_path / "image.avif").write_bytes(avif_with(pixels, b"clap", data, essential=True))
    shown = read_picture(tmp_path / "image.avif").pixels
    assert shown.shape == (height, width, 3)
    assert np.abs(shown.astype(int) - pixels[top : top + height, left : left + width]).max() <= 3


@needs_avif
@pytest.mark.parametrize(
    "aperture",
    [
        clap(Fraction(41), Fraction(30), Fraction(0), Fraction(0)),
        clap(Fraction(15), Fraction(16), Fraction(0), Fraction(0)),
        clap(Fraction(16), Fraction(16), Fraction(13), Fraction(0)),
        bytes(32),
    ],
    ids=["wider than the image", "half a pixel off", "partly outside", "no numbers"],
)
def test_a_clean_aperture_of_other_than_whole_pixels_is_refused(tmp_path, aperture):
    pixels = np.zeros((30, 40, 3), np.uint8)
    (tmp_path / "image.avif").write_bytes(avif_with(pixels, b"clap", aperture, essential=True))
    refused(tmp_path / "image.avif", "clean aperture|cannot be read")


def test_premultiplied_grey_is_divided_by_its_alpha(tmp_path):
    image = np.full((2, 2, 2), (100, 200), np.uint8)
    options = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(tmp_path / "image.tif", image, **options)
    picture = read_picture(tmp_path / "image.tif")
    assert (picture.alpha == 200).all() and np.abs(picture.pixels.astype(int) - 100 * 255 / 200).max() <= 1
