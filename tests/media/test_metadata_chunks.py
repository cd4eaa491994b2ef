"""What belongs to an image besides its pixels: kept, or refused by name."""

import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.profiles import DISPLAY_P3, GREY_1_8, SRGB
from vqvae.errors import BitstreamError, ImageError
from vqvae.formats import Kind
from vqvae.formats.chunks import pack_chunks, unpack_chunks
from vqvae.media import images
from vqvae.media.images import MAX_METADATA_BYTES, Picture, read_image, read_picture, write_picture
from vqvae.media.metadata_chunks import to_chunks, to_picture

P3_TO_SRGB = np.array([[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786360, 1.0982736]])
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
DESCRIPTION = 0x010E


def from_curve(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_curve(light: np.ndarray) -> np.ndarray:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.fixture
def alpha(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo[..., 1])


@pytest.fixture
def picture(photo: np.ndarray, alpha: np.ndarray) -> Picture:
    exif = Image.Exif()
    exif[DESCRIPTION] = "a photograph"
    return Picture(photo, False, alpha, SRGB, exif.tobytes(), XMP)


def same(a: Picture, b: Picture) -> bool:
    return (
        np.array_equal(a.pixels, b.pixels) and np.array_equal(a.alpha, b.alpha) and a[3:] == b[3:] and a.grey == b.grey
    )


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_written_and_read_is_the_same(picture, tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    assert write_picture(picture, path) == []
    again = read_picture(path, metadata=True)
    assert np.array_equal(again.alpha, picture.alpha) and (again.profile, again.xmp) == (SRGB, XMP)
    assert Image.open(path).getexif()[DESCRIPTION] == "a photograph"
    assert read_picture(path).exif is None and read_picture(path).xmp is None  # unless they are asked for
    if suffix == ".png":
        assert np.array_equal(again.pixels, picture.pixels)


def test_a_format_that_holds_no_transparency_is_refused_and_others_lose_by_name(picture, tmp_path):
    with pytest.raises(ImageError, match=r"JPEG cannot hold.*transparency.*\.png"):
        write_picture(picture, tmp_path / "picture.jpg")
    assert not list(tmp_path.iterdir())
    assert write_picture(picture._replace(alpha=None), tmp_path / "picture.jpg") == []
    assert write_picture(picture._replace(alpha=None), tmp_path / "picture.bmp") == ["colour profile", "EXIF", "XMP"]


def test_greyscale_is_written_as_greyscale_the_mean_of_the_channels(photo, tmp_path):
    write_picture(Picture(photo, grey=True), tmp_path / "grey.png")
    with Image.open(tmp_path / "grey.png") as image:
        assert image.mode == "L"
        assert np.abs(np.asarray(image) - photo.mean(2)).max() <= 0.5
    assert read_picture(tmp_path / "grey.png").grey and not read_picture_of(photo, tmp_path).grey


def read_picture_of(photo: np.ndarray, folder) -> Picture:
    Image.fromarray(photo).save(folder / "colour.png")
    return read_picture(folder / "colour.png")


def test_greyscale_with_a_profile_of_colours_is_written_in_colour(photo, tmp_path):
    """A PNG may not have a profile of RGB with grey pixels."""
    write_picture(Picture(photo, grey=True, profile=SRGB), tmp_path / "grey.png")
    with Image.open(tmp_path / "grey.png") as image:
        assert image.mode == "RGB" and image.info["icc_profile"] == SRGB


def test_an_image_turned_upright_does_not_say_that_it_must_be_turned(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[DESCRIPTION] = 6, "turned"
    Image.fromarray(photo).save(tmp_path / "turned.jpg", exif=exif)
    picture = read_picture(tmp_path / "turned.jpg", metadata=True)
    assert picture.pixels.shape[:2] == photo.shape[1::-1]
    write_picture(picture, tmp_path / "upright.png")
    kept = Image.open(tmp_path / "upright.png").getexif()
    assert kept[DESCRIPTION] == "turned" and kept.get(0x0112, 1) == 1
    assert read_image(tmp_path / "upright.png").shape == picture.pixels.shape


def test_of_a_tiff_the_tags_that_describe_the_picture_are_kept(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[DESCRIPTION], exif[0x8769] = 6, "turned", {0x9003: "2026:11:21 12:00:00"}
    Image.fromarray(photo).save(tmp_path / "image.tif", exif=exif.tobytes())
    write_picture(read_picture(tmp_path / "image.tif", metadata=True), tmp_path / "image.png")
    kept = Image.open(tmp_path / "image.png").getexif()
    assert dict(kept).keys() == {DESCRIPTION, 0x8769} and kept[DESCRIPTION] == "turned"
    assert kept.get_ifd(0x8769) == {0x9003: "2026:11:21 12:00:00"}
    assert read_image(tmp_path / "image.png").shape[:2] == photo.shape[1::-1]


def test_other_colours_are_brought_to_srgb_by_their_profile(photo, tmp_path):
    lab = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(Image.fromarray(photo), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    converted.save(tmp_path / "lab.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    picture = read_picture(tmp_path / "lab.tif")
    assert picture.profile is None
    assert np.abs(picture.pixels.astype(int) - photo).mean() < 3  # Lab has 8 bits a channel, too


def test_pixels_alone_are_brought_to_srgb_and_a_picture_keeps_its_own(photo, tmp_path):
    """Against the matrix from Display P3 to sRGB that CSS Color 4 states, and sRGB's curve."""
    path = tmp_path / "wide.png"
    Image.fromarray(photo).save(path, icc_profile=DISPLAY_P3)
    expected = to_curve(from_curve(photo / 255) @ P3_TO_SRGB.T) * 255
    assert np.abs(expected - photo).max() > 20
    assert np.abs(read_image(path) - expected).max() < 1
    kept = read_picture(path)
    assert np.array_equal(kept.pixels, photo) and kept.profile == DISPLAY_P3


def test_grey_levels_are_brought_to_srgb_by_a_profile_of_greyscale(tmp_path):
    levels = np.arange(256, dtype=np.uint8)[None]
    Image.fromarray(levels).save(tmp_path / "grey.png", icc_profile=GREY_1_8)
    expected = to_curve((levels / 255) ** 1.8) * 255
    assert np.abs(expected - levels).max() > 10
    assert np.abs(read_image(tmp_path / "grey.png") - expected[..., None]).max() < 2
    assert np.array_equal(read_picture(tmp_path / "grey.png").pixels[..., 1], levels)


def test_the_profile_of_srgb_changes_nothing(photo, tmp_path):
    for mode in ("RGB", "L", "P"):
        image = Image.fromarray(photo).convert(mode)
        image.save(tmp_path / "image.png", icc_profile=SRGB)
        assert np.array_equal(read_image(tmp_path / "image.png"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "read", "of_other_colours"), [("CMYK", read_picture, SRGB), ("RGB", read_image, GREY_1_8)]
)
def test_a_profile_that_is_none_is_refused_where_it_is_needed(photo, tmp_path, mode, read, of_other_colours):
    for profile in (b"nonsense", SRGB[:-200], of_other_colours):
        Image.fromarray(photo).convert(mode).save(tmp_path / "odd.tif", icc_profile=profile)
        with pytest.raises(ImageError, match=r"odd\.tif: its colour profile cannot be used .*: convert it to sRGB"):
            read(tmp_path / "odd.tif")


def test_a_profile_of_ycbcr_pixels_is_that_of_the_rgb_they_stand_for(photo, tmp_path):
    Image.fromarray(photo).convert("YCbCr").save(tmp_path / "image.tif", icc_profile=SRGB)
    picture = read_picture(tmp_path / "image.tif")
    assert picture.profile == SRGB and np.abs(picture.pixels.astype(int) - photo).max() <= 3


def test_what_a_reader_would_refuse_for_its_size_is_not_written(photo, tmp_path, monkeypatch):
    for most in (MAX_METADATA_BYTES, len(SRGB) - 1):
        monkeypatch.setattr(images, "MAX_METADATA_BYTES", most)
        Image.fromarray(photo).save(tmp_path / "image.png", icc_profile=SRGB)
        if most == MAX_METADATA_BYTES:
            assert read_picture(tmp_path / "image.png").profile == SRGB
        else:
            with pytest.raises(ImageError, match=rf"image\.png: its colour profile has {len(SRGB)} bytes, more than"):
                read_picture(tmp_path / "image.png")
    largest = bytes(MAX_METADATA_BYTES)
    assert to_picture(photo, {Kind.XMP: zlib.compress(largest)}).xmp == largest


def test_chunks_hold_all_of_a_picture(picture):
    chunks = to_chunks(picture)
    assert same(to_picture(picture.pixels, unpack_chunks(pack_chunks(chunks))), picture)
    assert to_chunks(Picture(picture.pixels)) == {}


@given(st.dictionaries(st.sampled_from(Kind), st.binary(max_size=300)))
def test_chunks_come_back_as_they_were(chunks):
    assert unpack_chunks(pack_chunks(chunks)) == chunks


@given(st.binary(max_size=40))
def test_any_bytes_are_chunks_that_are_written_so_or_refused(data):
    try:
        chunks = unpack_chunks(data)
    except BitstreamError:
        return
    assert pack_chunks(chunks) == data


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (Kind.ALPHA, b"nonsense", "alpha channel"),
        (
            Kind.ALPHA,
            png(Image.new("L", (3, 4))),
            "alpha channel is not an 8-bit grey PNG of the image's size .3×4 pixels of mode L",
        ),
        (Kind.ALPHA, png(Image.new("L", (50, 50)))[:50], "alpha channel"),
        (Kind.PROFILE, b"nonsense", "profile cannot be unpacked"),
        (Kind.EXIF, zlib.compress(b"x" * 1000)[:-3], "exif does not end"),
        (Kind.XMP, zlib.compress(b"x") + b"more", "xmp does not end"),
        (Kind.XMP, zlib.compress(bytes(MAX_METADATA_BYTES + 1)), "xmp does not end"),
    ],
)
def test_a_damaged_chunk_is_refused(kind, data, reason):
    with pytest.raises(BitstreamError, match=reason):
        to_picture(np.zeros((50, 50, 3), np.uint8), {kind: data})


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), end=st.integers(0, 60))
def test_a_damaged_alpha_channel_is_another_or_a_bitstream_error(place, byte, end):
    data = bytearray(png(Image.radial_gradient("L").resize((20, 10))))
    data[int(place * len(data))] = byte
    with suppress(BitstreamError):
        to_picture(np.zeros((10, 20, 3), np.uint8), {Kind.ALPHA: bytes(data[: len(data) - end])})
