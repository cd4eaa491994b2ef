"""The file around a payload; docs/format.md describes it byte for byte."""

import zlib
from typing import NamedTuple

from vqvae.errors import BitstreamError

MAGIC = b"VQ"
VERSION = 1
FINGERPRINT_BYTES = 3
CHECKSUM_BYTES = 4
LARGEST_SIDE = 2**28 - 1  # what four bytes of a size hold


class Container(NamedTuple):
    """What a file holds.

    Attributes:
        width, height: of the image, in pixels.
        entropy_code: the kind of entropy model that made the payload, 0 to 15.
        fingerprint: first bytes of the model's fingerprint.
        payload: the coded indices.
    """

    width: int
    height: int
    entropy_code: int
    fingerprint: bytes
    payload: bytes


def pack(container: Container) -> bytes:
    """The file's bytes."""
    width, height, entropy_code, fingerprint, payload = container
    for name, side in {"width": width, "height": height}.items():
        if not 1 <= side <= LARGEST_SIDE:
            raise ValueError(f"the image's {name} is {side} pixels, but must be from 1 to {LARGEST_SIDE}")
    kind = bytes([VERSION << 4 | entropy_code])
    body = MAGIC + kind + _pack_size(width) + _pack_size(height) + fingerprint[:FINGERPRINT_BYTES] + payload
    return body + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big")


def unpack(data: bytes) -> Container:
    """Reads a file's bytes.

    Raises:
        BitstreamError: the file is foreign, of another version, truncated or corrupt.
    """
    if not data.startswith(MAGIC):
        raise BitstreamError("not a .vqz file: it does not begin with 'VQ'")
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(body) <= len(MAGIC):
        raise BitstreamError("truncated: the file ends within its header")
    version, entropy_code = divmod(body[len(MAGIC)], 16)
    if version != VERSION:
        raise BitstreamError(f"written in version {version} of the format, but this program reads version {VERSION}")
    if zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big") != checksum:
        raise BitstreamError("truncated or corrupt: the checksum does not match")
    width, position = _unpack_size(body, len(MAGIC) + 1)
    height, position = _unpack_size(body, position)
    payload_start = position + FINGERPRINT_BYTES
    if payload_start > len(body):
        raise BitstreamError("truncated: the file ends within its header")
    return Container(width, height, entropy_code, body[position:payload_start], body[payload_start:])


def _pack_size(side: int) -> bytes:
    """Seven bits a byte, least significant first; the top bit says that more follow (LEB128)."""
    packed = bytearray()
    while side >= 128:
        packed.append(side & 127 | 128)
        side >>= 7
    return bytes([*packed, side])


def _unpack_size(data: bytes, position: int) -> tuple[int, int]:
    side = shift = 0
    while position < len(data) and shift < 28:
        byte = data[position]
        position += 1
        side |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if side == 0 or (byte == 0 and shift > 7):
                break
            return side, position
    raise BitstreamError("corrupt: the header holds no valid image size")
