"""Image files that Pillow does not write, made byte by byte."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: Sequence[bytes], width: int, bits: int, kind: int, **chunks: bytes) -> bytes:
    """A PNG of these packed rows; `kind` is 0 for grey, 2 for RGB; `chunks` come before the pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    between = b"".join(chunk(name.encode(), data) for name, data in chunks.items())
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def png_of(pixels: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG of 8-bit grey (H W) or RGB (H W 3) pixels."""
    rows = [row.tobytes() for row in pixels]
    return png(rows, pixels.shape[1], 8, 0 if pixels.ndim == 2 else 2, **chunks)


def saved(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def avif_with(pixels: np.ndarray, kind: bytes, data: bytes, essential: bool = False) -> bytes:
    """An AVIF, without loss, with one more property of its only item; `colr` takes the place of the file's own."""
    file = bytearray(saved(Image.fromarray(pixels), "AVIF", quality=100, subsampling="4:4:4"))
    if kind == b"colr":
        place = file.index(b"colrnclx")
        file[place + 4 : place + 4 + len(data)] = data
        return bytes(file)

    def grow(name: bytes, by: int) -> None:
        place = file.index(name) - 4
        struct.pack_into(">I", file, place, struct.unpack_from(">I", file, place)[0] + by)

    properties, associations = file.index(b"ipco") - 4, file.index(b"ipma") - 4
    start, end, number = properties + 8, properties + struct.unpack_from(">I", file, properties)[0], 1
    while start < end:
        start, number = start + struct.unpack_from(">I", file, start)[0], number + 1
    count = associations + 18
    payload = struct.pack(">I", file.index(b"mdat") + 4)
    location = file.index(payload, file.index(b"iloc"))
    struct.pack_into(">I", file, location, file.index(b"mdat") + 4 + len(data) + 9)
    for name in (b"meta", b"iprp"):
        grow(name, len(data) + 9)
    grow(b"ipco", len(data) + 8)
    grow(b"ipma", 1)
    last = count + 1 + file[count]
    file[count] += 1
    file[last:last] = bytes([number | 128 * essential])
    file[end:end] = struct.pack(">I", 8 + len(data)) + kind + data
    return bytes(file)


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF, little-endian, of entries (tag, type, count, value) that may be of any type."""
    body, extra = struct.pack("<H", len(entries)), b""
    behind = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", behind + len(extra))
        body += struct.pack("<HHI", tag, kind, count) + place
        extra += value if len(value) > 4 else b""
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + bytes(4) + extra
