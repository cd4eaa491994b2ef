"""A block of an archive: the index of up to 256 images, and their payloads; docs/format.md has it byte for byte."""

import re
import struct
import zlib
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from vqvae.errors import BitstreamError
from vqvae.formats.varint import LARGEST, pack_size, unpack_size

MOST_IMAGES = 256  # in a block
MOST_PAYLOAD = 2**16  # bytes of a block's payloads, unless it holds one image alone
LARGEST_CODE = 7
HEAD_BYTES = 24
MOST_NUMBERS_BYTES = 4 * (1 + MOST_IMAGES + 4 * MOST_IMAGES)  # where no two images in a row are of one kind
PART = r"(?!\.\.?(?:/|\Z))[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
NAME = re.compile(rf"(?![A-Za-z]:){PART}(?:/{PART})*")


class Entry(NamedTuple):
    """One image of an archive.

    Attributes:
        name: a relative path, its parts divided by slashes.
        width, height: of the image, in pixels.
        entropy_code: the kind of entropy model that made the payload, 0 to 7.
        payload: the coded indices.
    """

    name: str
    width: int
    height: int
    entropy_code: int
    payload: bytes


class Head(NamedTuple):
    """What a block begins with: the bytes of its parts, and their checksums (CRC-32)."""

    numbers_bytes: int
    names_bytes: int
    payloads_bytes: int
    index_checksum: int
    payloads_checksum: int

    @property
    def index_bytes(self) -> int:
        """Bytes of numbers and names."""
        return self.numbers_bytes + self.names_bytes


class Index(NamedTuple):
    """What a block says of its n images; without names, the list of them is empty."""

    lengths: list[int]
    entropy_codes: list[int]
    widths: list[int]
    heights: list[int]
    names: list[str]


def is_valid_name(name: str) -> bool:
    """Whether an image may be called so: a path that stays in the folder that it is put into, on any system."""
    return NAME.fullmatch(name) is not None


def check_entry(entry: Entry) -> None:
    """Raises ValueError where a block cannot hold a number of the entry."""
    ranges = {
        "width": (entry.width, 1, LARGEST),
        "height": (entry.height, 1, LARGEST),
        "entropy code": (entry.entropy_code, 0, LARGEST_CODE),
        "payload's length": (len(entry.payload), 0, LARGEST),
    }
    for what, (value, least, most) in ranges.items():
        if not least <= value <= most:
            raise ValueError(f"the image's {what} is {value}, but must be from {least} to {most}")


def pack_block(entries: Sequence[Entry], named: bool) -> bytes:
    """The block's bytes.

    Args:
        entries: 1 to 256 images that passed `check_entry`.
        named: whether their names are kept.
    """
    values = [len(entries), *(len(entry.payload) for entry in entries)]
    for kind, run in groupby(entries, key=lambda entry: (entry.width, entry.height, entry.entropy_code)):
        values += [len(list(run)), *kind]
    numbers = b"".join(map(pack_size, values))
    names = "\0".join(entry.name for entry in entries).encode() if named else b""
    payloads = b"".join(entry.payload for entry in entries)
    head = Head(len(numbers), len(names), len(payloads), zlib.crc32(numbers + names), zlib.crc32(payloads))
    packed = struct.pack(">5I", *head)
    return packed + zlib.crc32(packed).to_bytes(4, "big") + numbers + names + payloads


def unpack_head(data: bytes) -> Head:
    """Reads a block's first 24 bytes.

    Raises:
        BitstreamError: the checksum does not match.
    """
    if len(data) < HEAD_BYTES or zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
        raise BitstreamError("corrupt: the checksum of its head does not match")
    return Head(*struct.unpack(">5I", data[:-4]))


def unpack_index(data: bytes, head: Head, named: bool) -> Index:
    """Reads what follows the head, up to the payloads.

    Raises:
        BitstreamError: it is corrupt, or says something that no block may say.
    """
    if zlib.crc32(data) != head.index_checksum:
        raise BitstreamError("corrupt: the checksum of its index does not match")
    numbers = _unpack_numbers(data[: head.numbers_bytes])
    images = numbers[0] if numbers else 0
    lengths, runs = numbers[1 : 1 + images], numbers[1 + images :]
    if not 1 <= images <= MOST_IMAGES or len(lengths) < images or len(runs) % 4:
        raise BitstreamError(f"corrupt: its index has {len(numbers)} numbers for {images} images")
    if sum(lengths) != head.payloads_bytes:
        raise BitstreamError("corrupt: its images do not take the bytes of its payloads")
    repeats, widths, heights, codes = (runs[column::4] for column in range(4))
    if 0 in [*repeats, *widths, *heights] or sum(repeats) != images or any(code > LARGEST_CODE for code in codes):
        raise BitstreamError("corrupt: its index holds no valid runs of images")
    if head.names_bytes and not named:
        raise BitstreamError("corrupt: it has names, in an archive without")
    names = _unpack_names(data[head.numbers_bytes :], images) if named else []
    return Index(lengths, _spread(codes, repeats), _spread(widths, repeats), _spread(heights, repeats), names)


def _unpack_numbers(data: bytes) -> list[int]:
    if len(data) > MOST_NUMBERS_BYTES:
        raise BitstreamError(f"corrupt: its index has {len(data)} bytes of numbers")
    numbers = []
    position = 0
    while position < len(data):
        number, position = unpack_size(data, position)
        numbers.append(number)
    return numbers


def _spread(values: list[int], repeats: list[int]) -> list[int]:
    return [value for value, times in zip(values, repeats, strict=True) for _ in range(times)]


def _unpack_names(data: bytes, images: int) -> list[str]:
    if data.count(0) != images - 1:
        raise BitstreamError(f"corrupt: {data.count(0) + 1} names for {images} images")
    try:
        names = data.decode().split("\0")
    except UnicodeDecodeError:
        raise BitstreamError("corrupt: its names are not UTF-8") from None
    for name in names:
        if not is_valid_name(name):
            raise BitstreamError(f"refused: {name!r} is not the name of a file inside a folder")
    return names
