"""Image files of every kind that Pillow opens."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vqvae.errors import ImageError
from vqvae.media.images import READABLE, read_image, write_image


def saved(image: Image.Image, path, **options):
    image.save(path, **options)
    return path


def test_rgb_pixels_are_read_as_they_are(photo, photo_file):
    assert np.array_equal(read_image(photo_file), photo)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_greyscale_and_palette_images_become_rgb(photo, tmp_path, mode):
    image = Image.fromarray(photo).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(read_image(saved(image, tmp_path / "image.png")), expected)


def test_cmyk_images_become_rgb(photo, tmp_path):
    path = saved(Image.fromarray(photo).convert("CMYK"), tmp_path / "image.tif")
    assert np.abs(read_image(path).astype(int) - photo).max() <= 2


def test_an_opaque_alpha_channel_is_dropped(photo, tmp_path):
    path = saved(Image.fromarray(photo).convert("RGBA"), tmp_path / "image.png")
    assert np.array_equal(read_image(path), photo)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_refused_by_name(photo, tmp_path, mode):
    image = Image.fromarray(photo).convert("RGBA")
    image.putalpha(100)
    path = tmp_path / ("image.tif" if mode == "PA" else "image.png")
    with pytest.raises(ImageError, match=r"image.*transparency.*flatten"):
        read_image(saved(image.convert(mode) if mode != "PA" else image, path))


def test_a_transparent_palette_colour_is_refused(photo, tmp_path):
    path = saved(Image.fromarray(photo).convert("P"), tmp_path / "image.gif", transparency=0)
    with pytest.raises(ImageError, match="transparency"):
        read_image(path)


@pytest.mark.parametrize(
    ("dtype", "name"), [(np.uint16, "image.png"), (np.float32, "image.tif"), (np.int32, "image.tif")]
)
def test_more_than_eight_bits_are_refused_by_mode(tmp_path, dtype, name):
    path = saved(Image.fromarray(np.full((5, 5), 300, dtype)), tmp_path / name)
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_image(path)


def test_sixteen_bit_colour_is_refused_though_pillow_would_reduce_it(tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(range(6)))
    path = tmp_path / "deep.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    with pytest.raises(ImageError, match="16-bit channels"):
        read_image(path)


def test_animations_are_refused_with_their_number_of_frames(photo, tmp_path):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    path = saved(frames[0], tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="2 frames"):
        read_image(path)


def test_a_phones_jpeg_with_a_preview_behind_it_is_its_first_image(photo, tmp_path):
    preview = Image.fromarray(photo[::4, ::4].copy())
    path = saved(Image.fromarray(photo), tmp_path / "image.jpg", format="MPO", save_all=True, append_images=[preview])
    assert Image.open(path).n_frames == 2
    assert read_image(path).shape == photo.shape


def test_exif_orientation_is_applied(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be seen upright
    path = saved(Image.fromarray(photo), tmp_path / "image.png", exif=exif)
    assert np.array_equal(read_image(path), np.rot90(photo, -1))


def test_files_that_are_no_images_are_refused_in_one_line_with_their_name(photo_file, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(photo_file.read_bytes()[:200])
    (tmp_path / "empty.png").touch()
    for name in ("text.png", "cut.png", "empty.png", "missing.png"):
        with pytest.raises(ImageError, match=name) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused(photo_file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="exceeds limit"):
        read_image(photo_file)


def test_lossless_formats_return_what_was_written(photo, tmp_path):
    for name in ("a.png", "b.bmp", "c.tif", "deep/er/d.PPM"):
        write_image(photo, tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name), photo)


@pytest.mark.parametrize("name", ["image", "image.xyz", "image.txt"])
def test_an_unknown_output_format_is_refused_and_nothing_written(photo, tmp_path, name):
    with pytest.raises(ImageError, match=name):
        write_image(photo, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(photo, photo_file, tmp_path, monkeypatch):
    before = photo_file.read_bytes()

    def fail(self, path, format):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space"):
        write_image(photo, photo_file)
    assert photo_file.read_bytes() == before and list(tmp_path.iterdir()) == [photo_file]


@pytest.mark.parametrize("size", [(178_956_970, 1), (1, 10_000_000), (2**20 + 1, 1)])
def test_images_of_too_many_pixels_in_a_row_are_refused_by_their_header(tmp_path, size):
    """Padded to the stride of a network, a single row is many times as large."""
    path = tmp_path / "image.pbm"
    path.write_bytes(b"P4 %d %d\n" % size)
    with pytest.raises(ImageError, match=r"image\.pbm: has \d+×\d+ pixels"):
        read_image(path)


@pytest.mark.parametrize(
    "error", [RuntimeError, IndexError, TypeError, AttributeError, MemoryError, struct.error, OSError]
)
def test_whatever_a_library_raises_of_a_file_is_one_line(photo_file, monkeypatch, error):
    def fail(self):
        raise error("first line\nsecond line")

    monkeypatch.setattr(Image.Image, "has_transparency_data", property(fail))
    with pytest.raises(ImageError) as caught:
        read_image(photo_file)
    reason = "not enough memory" if error is MemoryError else "first line second line"
    assert str(caught.value) == f"{photo_file}: cannot be read ({reason})"


@pytest.mark.parametrize("name", ["a.jpe", "a.jfif", "a.JPG", "a.dib", "a.pnm", "a.j2k", "a.tga", "a.apng"])
def test_less_usual_suffixes_count_as_images(photo, tmp_path, name):
    assert (tmp_path / name).suffix.lower() in READABLE
    write_image(photo, tmp_path / name)
    assert read_image(tmp_path / name).shape == photo.shape


def test_a_phones_heif_is_an_image_that_is_refused_by_name(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    assert ".heic" in READABLE and ".heif" in READABLE
    with pytest.raises(ImageError, match=r"a\.heic: damaged, or not an image of a format that Pillow knows"):
        read_image(tmp_path / "a.heic")
