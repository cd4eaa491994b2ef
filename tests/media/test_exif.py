"""EXIF of unexpected kinds: sound pixels are read, and what can be kept is kept."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from tests.media.files import exif, png_of, saved
from vqvae.media.exif import without_orientation
from vqvae.media.images import Picture, read_image, read_picture, write_picture

TURNED = (0x112, 3, 1, b"\6\0")
MAKE = (0x10F, 2, 6, b"phone\0")
ODD = {
    "resolution as text": (0x11A, 2, 3, b"72\0"),
    "make as a fraction": (0x10F, 5, 1, struct.pack("<II", 1, 2)),
    "negative resolution": (0x11A, 10, 1, struct.pack("<ii", -72, 1)),
    "fraction of nothing": (0x11A, 5, 1, bytes(8)),
    "no such type": (0x10F, 99, 1, b"x"),
    "beyond its end": (0x10F, 2, 10**6, b"12345"),
}


@pytest.fixture
def wide(photo) -> Image.Image:
    return Image.fromarray(photo[:24, :40].copy())


@pytest.mark.parametrize("entry", ODD.values(), ids=ODD)
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_images_with_odd_entries_are_read_upright_and_their_exif_is_kept(wide, tmp_path, format, entry):
    held = exif(TURNED, entry)
    path = tmp_path / "image"
    path.write_bytes(saved(wide, format, exif=held))
    picture = read_picture(path, metadata=True)
    assert picture.pixels.shape == (40, 24, 3) and picture.lost == ()
    kept = picture.exif
    assert kept is not None and kept.startswith(b"Exif\0\0II*\0")
    assert struct.pack("<HHI", *entry[:3]) in kept and struct.pack("<H", 0x112) not in kept
    for name in ("again.png", "again.webp", "again.jpg", "again.tif"):
        assert write_picture(picture, tmp_path / name) in ([], ["EXIF"])
        assert read_image(tmp_path / name).shape == (40, 24, 3)


@pytest.mark.parametrize("text", ["nonsense", "\nexif\n 4\nxyz\n", "\nexif\n 12\n4578696600004949\n"])
def test_a_png_with_raw_exif_that_cannot_be_read_is_read_and_the_loss_named(photo, tmp_path, text):
    path = tmp_path / "image.png"
    path.write_bytes(png_of(photo, tEXt=b"Raw profile type exif\0" + text.encode()))
    assert np.array_equal(read_picture(path).pixels, photo) and read_picture(path).lost == ()
    assert read_picture(path, metadata=True).lost == ("EXIF",)


def test_raw_exif_of_a_png_turns_it_and_is_kept(wide, tmp_path):
    data = exif(MAKE, TURNED)
    text = f"\nexif\n{len(data):8}\n{data.hex()}\n"
    path = tmp_path / "image.png"
    path.write_bytes(png_of(np.asarray(wide), tEXt=b"Raw profile type exif\0" + text.encode()))
    picture = read_picture(path, metadata=True)
    assert np.array_equal(picture.pixels, np.rot90(np.asarray(wide), -1)) and picture.lost == ()
    write_picture(picture, tmp_path / "again.png")
    assert dict(Image.open(tmp_path / "again.png").getexif()) == {0x10F: "phone"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_pillow_turns_them(wide, tmp_path, orientation):
    from PIL import ImageOps

    path = tmp_path / "image.png"
    wide.save(path, exif=exif((0x112, 3, 1, bytes([orientation, 0]))))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read_picture(path, metadata=True)
    assert np.array_equal(picture.pixels, expected)
    assert (picture.exif is None) == (orientation is not None)  # there was nothing else in it


def test_layout_tags_of_a_jpeg_do_not_become_a_tiffs(wide, tmp_path):
    layout = [(tag, 3, 1, b"\2\0") for tag in (256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 338, 339)]
    pointers = [(tag, 4, 1, struct.pack("<I", 8)) for tag in (273, 279, 320, 322, 323, 324, 325, 330)]
    path = tmp_path / "phone.jpg"
    path.write_bytes(saved(wide, "JPEG", exif=exif(TURNED, MAKE, *layout, *pointers)))
    picture = read_picture(path, metadata=True)
    assert write_picture(picture, tmp_path / "phone.tif") == []
    assert np.array_equal(read_image(tmp_path / "phone.tif"), picture.pixels)
    with Image.open(tmp_path / "phone.tif") as image:
        assert image.size == (24, 40) and image.getexif()[0x10F] == "phone"
    for alpha in (np.full((40, 24), 100, np.uint8), None):
        write_picture(picture._replace(alpha=alpha, grey=True), tmp_path / "phone.tif")
        assert read_picture(tmp_path / "phone.tif").pixels.shape == (40, 24, 3)


def test_a_tiffs_own_odd_tags_do_not_keep_its_exif_from_being_read(wide, tmp_path):
    own = Image.Exif()
    own[0x10E], own[0x8769] = "a photograph", {0x9003: "2026:11:21 12:00:00"}
    wide.save(tmp_path / "image.tif", exif=own.tobytes())
    data = (tmp_path / "image.tif").read_bytes()
    entry = data.index(struct.pack("<HH", 0x10E, 2))
    (tmp_path / "image.tif").write_bytes(data[: entry + 2] + struct.pack("<H", 12) + data[entry + 4 :])
    picture = read_picture(tmp_path / "image.tif", metadata=True)
    assert np.array_equal(picture.pixels, np.asarray(wide))
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept.get_ifd(0x8769) == {0x9003: "2026:11:21 12:00:00"}


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_keeps_odd_exif(wide, tmp_path):
    picture = Picture(np.asarray(wide), exif=without_orientation(exif(TURNED, ODD["make as a fraction"])))
    assert write_picture(picture, tmp_path / "image.avif") == []
    assert struct.pack("<HHI", 0x10F, 5, 1) in read_picture(tmp_path / "image.avif", metadata=True).exif


@pytest.mark.parametrize(
    "said",
    [
        b'<rdf:Description tiff:Orientation="6" dc:title="t"/>',
        b"<rdf:Description tiff:Orientation = '6' dc:title=\"t\"/>",
        b'<rdf:Description dc:title="t"><tiff:Orientation>6</tiff:Orientation></rdf:Description>',
        b'<rdf:Description dc:title="t"><tiff:Orientation>6 </tiff:Orientation ></rdf:Description>',
    ],
)
def test_xmp_no_longer_says_that_the_image_is_to_be_turned(wide, tmp_path, said):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + said + b"</x:xmpmeta>"
    wide.save(tmp_path / "image.jpg", xmp=xmp)
    picture = read_picture(tmp_path / "image.jpg", metadata=True)
    assert b"Orientation" not in picture.xmp and b'dc:title="t"' in picture.xmp
    turned = b"'" not in said  # which Pillow does not know
    assert picture.pixels.shape[:2] == ((40, 24) if turned else (24, 40))


@given(st.binary(max_size=200), st.booleans())
def test_any_exif_is_taken_or_a_value_error(data, prefixed):
    try:
        found = without_orientation(b"Exif\0\0II*\0" * prefixed + data)
    except ValueError:
        return
    assert found is None or without_orientation(found) == found


@given(st.permutations([TURNED, MAKE, *ODD.values()]), st.integers(0, 6))
def test_all_other_entries_stay(entries, number):
    chosen = entries[:number]
    found = without_orientation(exif(*chosen)) if chosen else None
    rest = [entry for entry in chosen if entry != TURNED]
    if not rest:
        assert found is None
        return
    assert found is not None
    (count,) = struct.unpack_from("<H", found, 6 + 8)
    tags = [struct.unpack_from("<H", found, 6 + 10 + 12 * place)[0] for place in range(count)]
    assert tags == sorted(tag for tag, *_ in rest)
