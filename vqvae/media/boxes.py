"""Boxes of ISO base media files (ISO/IEC 14496-12), which AVIF is made of; JPEG 2000 files have the same."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vqvae.errors import ImageError


class Box(NamedTuple):
    """A box: its four-letter name, and what it holds."""

    name: bytes
    data: bytes


def boxes(data: bytes, start: int = 0) -> Iterator[Box]:
    """The boxes in these bytes, one after another.

    Raises:
        ImageError: a box is longer than what it is in, or shorter than its header.
    """
    while start + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1 and start + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        end = len(data) if length == 0 else start + length
        if not start + header <= end <= len(data):
            raise ImageError(f"damaged: box {name.decode('latin-1')!r} at byte {start} has a length of {length}")
        yield Box(name, data[start + header : end])
        start = end


def find(data: bytes, *path: bytes) -> bytes:
    """What the first box on this path of names holds; nothing where there is none."""
    for name in path:
        data = next((box.data for box in boxes(data) if box.name == name), b"")
    return data


def primary_properties(file: bytes) -> list[Box]:
    """The properties of a file's primary item, and those of the items that it is put together from."""
    meta = find(file, b"meta")[4:]  # after version and flags
    properties = list(boxes(find(meta, b"iprp", b"ipco")))
    primary = _primary(meta)
    items = {primary, *_parts(meta, primary)}
    associated = [index for item, index in _associations(find(meta, b"iprp", b"ipma")) if item in items]
    return [properties[index - 1] for index in associated if 1 <= index <= len(properties)]


def _primary(meta: bytes) -> int:
    data = find(meta, b"pitm") or bytes(6)
    return int.from_bytes(data[4:8] if data[0] else data[4:6], "big")


def _parts(meta: bytes, primary: int) -> Iterator[int]:
    """The tiles of a grid."""
    references = find(meta, b"iref")
    size = 4 if references[:1] > b"\0" else 2
    for name, data in boxes(references, 4):
        item, *parts = (int.from_bytes(data[at : at + size], "big") for at in (0, *range(size + 2, len(data), size)))
        if name == b"dimg" and item == primary:
            yield from parts


def _associations(ipma: bytes) -> Iterator[tuple[int, int]]:
    """Each item's number and the number, from 1, of a property of it."""
    if len(ipma) < 8:
        return
    version, large = ipma[0], ipma[3] & 1
    item_size, at = (4 if version else 2), 8
    while at + item_size < len(ipma):
        item, count = int.from_bytes(ipma[at : at + item_size], "big"), ipma[at + item_size]
        at += item_size + 1
        for _ in range(count):
            index = int.from_bytes(ipma[at : at + 1 + large], "big") & (0x7FFF if large else 0x7F)
            at += 1 + large
            yield item, index
