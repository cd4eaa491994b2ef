"""Colours that a file describes without a profile."""

import struct

import numpy as np
import pytest
from PIL import Image, features

from tests.media.files import avif_with, exif, png_of, saved
from tests.profiles import DISPLAY_P3
from vqvae.errors import ImageError
from vqvae.media.images import read_image, read_picture, write_picture

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")

TO_SRGB = {
    12: np.array([[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786360, 1.0982736]]),
    9: np.array(
        [[1.6604910, -0.5876411, -0.0728499], [-0.1245505, 1.1328999, -0.0083494], [-0.0181508, -0.1005789, 1.1187297]]
    ),
}
"""From linear Display P3 (CSS Color 4) and linear BT.2020 (ITU-R BT.2087-0) to linear sRGB."""


def srgb_of(light: np.ndarray) -> np.ndarray:
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def light_of_srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def light_of_bt709(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))


def gamma(value: float) -> bytes:
    return struct.pack(">I", round(100_000 / value))


def chromaticities(*numbers: float) -> bytes:
    return struct.pack(">8I", *(round(100_000 * number) for number in numbers))


SRGB = chromaticities(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3 = chromaticities(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def pixels_of(path, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    return read_image(path)


@pytest.mark.parametrize("exponent", [1.0, 1.8, 2.6])
def test_the_gamma_of_a_png_is_heeded(photo, tmp_path, exponent):
    expected = srgb_of((photo / 255) ** exponent)
    assert np.abs(expected - photo).max() > 10
    converted = pixels_of(tmp_path / "image.png", png_of(photo, gAMA=gamma(exponent)))
    assert np.abs(converted - expected).max() < 1.5
    grey = pixels_of(tmp_path / "grey.png", png_of(photo[..., 0], gAMA=gamma(exponent)))
    assert np.abs(grey - expected[..., :1]).max() < 1.5


@pytest.mark.parametrize(
    "chunks",
    [{"cICP": bytes([12, 13, 0, 1])}, {"cHRM": P3}, {"cHRM": P3, "gAMA": gamma(2.2)}],
    ids=lambda c: "+".join(c),
)
def test_the_primaries_of_a_png_are_heeded(photo, tmp_path, chunks):
    light = (photo / 255) ** 2.2 if "gAMA" in chunks else light_of_srgb(photo / 255)
    expected = srgb_of(light @ TO_SRGB[12].T)
    assert np.abs(expected - photo).max() > 20
    assert np.abs(pixels_of(tmp_path / "image.png", png_of(photo, **chunks)) - expected).max() < 1.5


@needs_avif
@pytest.mark.parametrize("transfer", [1, 6, 14])
def test_the_colours_of_an_avif_are_heeded(photo, tmp_path, transfer):
    codes = b"nclx" + struct.pack(">HHHB", 9, transfer, 6, 128)
    pixels = np.asarray(Image.fromarray(photo))
    path = tmp_path / "image.avif"
    path.write_bytes(avif_with(pixels, b"colr", codes))
    picture = read_picture(path)
    assert picture.profile is not None
    expected = srgb_of(light_of_bt709(picture.pixels / 255) @ TO_SRGB[9].T)
    assert np.abs(expected - picture.pixels).max() > 20
    assert np.abs(read_image(path) - expected).max() < 1.5


def test_a_picture_keeps_its_pixels_and_gets_a_profile_that_says_the_same(photo, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(png_of(photo, cICP=bytes([12, 13, 0, 1])))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, photo) and picture.profile is not None and picture.lost == ()
    assert write_picture(picture, tmp_path / "again.png") == []
    assert np.array_equal(read_image(tmp_path / "again.png"), read_image(path))
    grey = tmp_path / "grey.png"
    grey.write_bytes(png_of(photo[..., 0], gAMA=gamma(1)))
    write_picture(read_picture(grey), tmp_path / "again.png")
    with Image.open(tmp_path / "again.png") as again:
        assert again.mode == "L" and again.info["icc_profile"][16:20] == b"GRAY"


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": gamma(2.2)},
        {"gAMA": gamma(2.2), "cHRM": SRGB},
        {"sRGB": b"\0", "gAMA": gamma(1.0)},
        {"cICP": bytes([1, 13, 0, 1])},
        {"cICP": bytes([2, 2, 0, 1])},
    ],
    ids=lambda c: "+".join(c),
)
def test_srgb_needs_no_profile(photo, tmp_path, chunks):
    (tmp_path / "image.png").write_bytes(png_of(photo, **chunks))
    picture = read_picture(tmp_path / "image.png")
    assert picture.profile is None and picture.lost == ()


def test_a_profile_says_more_than_a_description(photo, tmp_path):
    path = tmp_path / "image.png"
    plain = saved(Image.fromarray(photo), "PNG", icc_profile=DISPLAY_P3)
    described = plain.replace(b"\0\0\0\rIHDR", b"\0\0\0\rIHDR", 1)
    path.write_bytes(described[:33] + png_of(photo, gAMA=gamma(1.0))[33:49] + described[33:])
    assert read_picture(path).profile == DISPLAY_P3


def test_high_dynamic_range_is_refused(photo, tmp_path):
    for transfer, name in ((16, "PQ"), (18, "HLG")):
        (tmp_path / "image.png").write_bytes(png_of(photo, cICP=bytes([9, transfer, 0, 1])))
        with pytest.raises(ImageError, match=rf"image\.png: has colours of high dynamic range \({name}\)"):
            read_picture(tmp_path / "image.png")


@pytest.mark.parametrize(
    "chunks",
    [
        {"cHRM": bytes(32)},
        {"cHRM": chromaticities(0.3, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4)},
        {"gAMA": struct.pack(">I", 1)},
        {"cICP": bytes([77, 13, 0, 1])},
        {"iCCP": b"name\0\0nonsense"},
    ],
    ids=["no white", "three times one colour", "gamma", "unknown code", "damaged profile"],
)
def test_colours_that_make_no_sense_are_named_as_lost(photo, tmp_path, chunks):
    (tmp_path / "image.png").write_bytes(png_of(photo, **chunks))
    picture = read_picture(tmp_path / "image.png")
    assert np.array_equal(picture.pixels, photo) and picture.profile is None
    assert picture.lost == (("colour profile",) if "iCCP" in chunks else ("colour description",))


ADOBE_TO_XYZ = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
XYZ_TO_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]
)


def adobe_rgb_as_srgb(pixels: np.ndarray) -> np.ndarray:
    """By the matrix and the exponent of Adobe RGB (1998), 4.3."""
    return srgb_of((pixels / 255) ** (563 / 256) @ (XYZ_TO_SRGB @ ADOBE_TO_XYZ).T)


@pytest.fixture
def ramps() -> np.ndarray:
    levels = np.asarray(Image.radial_gradient("L").resize((32, 32)))
    return np.stack([levels, 255 - levels, levels // 2], 2)


ADOBE_PRIMARIES = {0x13E: (0.3127, 0.329), 0x13F: (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)}


@pytest.mark.parametrize(
    "tags",
    [
        {0x8769: {0xA005: {1: "R03"}}},
        {0x8769: {0xA001: 2}},
        {**ADOBE_PRIMARIES, 0x8769: {0xA001: 0xFFFF, 0xA500: 2.2}},
    ],
    ids=["interoperability index", "colour space", "chromaticities and gamma"],
)
def test_adobe_rgb_of_a_camera_that_embeds_no_profile(ramps, tmp_path, tags):
    camera = Image.Exif()
    for tag, value in tags.items():
        camera[tag] = value
    (tmp_path / "image.jpg").write_bytes(saved(Image.fromarray(ramps), "JPEG", exif=camera, quality=100))
    picture = read_picture(tmp_path / "image.jpg")
    expected = adobe_rgb_as_srgb(picture.pixels)
    assert np.abs(expected - picture.pixels).max() > 20
    assert np.abs(read_image(tmp_path / "image.jpg") - expected).max() < 1.5


def test_a_camera_that_says_srgb_needs_no_profile(ramps, tmp_path):
    camera = Image.Exif()
    for tag, value in {**ADOBE_PRIMARIES, 0x8769: {0xA001: 1}}.items():
        camera[tag] = value
    for name, tags in {"srgb": camera.tobytes(), "nothing": exif((0x112, 3, 1, b"\1\0"))}.items():
        (tmp_path / f"{name}.jpg").write_bytes(saved(Image.fromarray(ramps), "JPEG", exif=tags))
        assert read_picture(tmp_path / f"{name}.jpg").profile is None


def bitmap(pixels: np.ndarray, space: bytes, colours: bytes = b"", profile: bytes = b"") -> bytes:
    """A .bmp file with a header of version 5: `colours` are XYZ of the primaries, and gammas."""
    plain = saved(Image.fromarray(pixels), "BMP")
    header = plain[14:54] + bytes(16) + space + colours.ljust(48, b"\0") + struct.pack("<4I", 4, 124, len(profile), 0)
    places = struct.pack("<2sIII", b"BM", len(plain) + 84 + len(profile), 0, 138 + len(profile))
    return places + struct.pack("<I", 124) + header[4:] + profile + plain[54:]


def test_the_colours_of_a_bitmap_are_heeded(ramps, tmp_path):
    path = tmp_path / "image.bmp"
    primaries = struct.pack("<9i", *(round(value * 2**30) for value in ADOBE_TO_XYZ.T.flatten()))
    path.write_bytes(bitmap(ramps, bytes(4), primaries + struct.pack("<3I", *[round(563 / 256 * 2**16)] * 3)))
    assert np.array_equal(read_picture(path).pixels, ramps)
    assert np.abs(read_image(path) - adobe_rgb_as_srgb(ramps)).max() < 1.5
    path.write_bytes(bitmap(ramps, b"DEBM", profile=DISPLAY_P3))
    picture = read_picture(path)
    assert np.array_equal(picture.pixels, ramps) and picture.profile == DISPLAY_P3
    path.write_bytes(bitmap(ramps, b"KNIL"))
    assert read_picture(path).lost == ("colour profile",)
    for says_srgb in (b"BGRs", b" niW", bytes(4)):
        path.write_bytes(bitmap(ramps, says_srgb))
        picture = read_picture(path)
        assert np.array_equal(picture.pixels, ramps) and picture.profile is None and picture.lost == ()


def test_linear_light_of_a_qoi_is_heeded(ramps, tmp_path):
    data = bytearray(saved(Image.fromarray(ramps), "QOI"))
    for linear in (0, 1):
        data[13] = linear
        (tmp_path / "image.qoi").write_bytes(data)
        expected = srgb_of(ramps / 255) if linear else ramps
        assert np.abs(read_image(tmp_path / "image.qoi") - expected).max() < 1.5
