"""Metadata in a file: chunks of bytes, at most one of each kind."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from vqvae.errors import BitstreamError
from vqvae.formats.varint import pack_size, unpack_size


class Kind(IntEnum):
    """The kind of a chunk."""

    GREY = 1
    """The image is greyscale; without data."""
    ALPHA = 2
    """The alpha channel, as a greyscale PNG."""
    PROFILE = 3
    """The ICC profile, compressed by zlib, like the next two."""
    EXIF = 4
    XMP = 5


Chunks = Mapping[Kind, bytes]
NOTHING: Chunks = MappingProxyType({})


def pack_chunks(chunks: Chunks) -> bytes:
    """Chunks as bytes, in the order of their kinds."""
    return b"".join(bytes([kind]) + pack_size(len(data)) + data for kind, data in sorted(chunks.items()))


def unpack_chunks(data: bytes) -> dict[Kind, bytes]:
    """Chunks from bytes.

    Raises:
        BitstreamError: a kind is unknown, repeated or out of order, or a length is wrong.
    """
    chunks: dict[Kind, bytes] = {}
    position, last = 0, 0
    while position < len(data):
        kind = data[position]
        if kind <= last or kind > max(Kind):
            raise BitstreamError(f"corrupt: it has a chunk of kind {kind} after one of kind {last}")
        length, start = unpack_size(data, position + 1)
        if start + length > len(data):
            raise BitstreamError("corrupt: a chunk is truncated")
        chunks[Kind(kind)] = data[start : start + length]
        position, last = start + length, kind
    return chunks
