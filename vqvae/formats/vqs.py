"""The file of speech, `.vqs`; docs/format.md describes it byte for byte."""

import zlib
from typing import NamedTuple

from vqvae.errors import BitstreamError
from vqvae.formats.varint import LARGEST, pack_size, unpack_size

MAGIC = b"VS"
VERSION = 1
CONSTANT = 1  # flag: each frame has a step size of its own
FINGERPRINT_BYTES, STEP_BYTES, CHECKSUM_BYTES = 3, 2, 4


class SpeechContainer(NamedTuple):
    """What a file says.

    Attributes:
        samples: how many, at the model's rate.
        fingerprint: the model's, all 32 bytes: three of them are in the file, and the checksum covers all.
        constant: whether each frame has a step size of its own.
        step: the step size of all frames, or what those of single frames start from.
        payload: the frames.
    """

    samples: int
    fingerprint: bytes
    constant: bool
    step: int
    payload: bytes


def overhead_bytes(samples: int) -> int:
    """Bytes of a file besides its payload."""
    return len(MAGIC) + 1 + len(pack_size(samples)) + FINGERPRINT_BYTES + STEP_BYTES + CHECKSUM_BYTES


def pack_speech(container: SpeechContainer) -> bytes:
    """The file's bytes."""
    samples, fingerprint, constant, step, payload = container
    if not 1 <= samples <= LARGEST:
        raise ValueError(f"there are {samples} samples, but there must be from 1 to {LARGEST}")
    head = MAGIC + bytes([VERSION << 4 | CONSTANT * constant]) + pack_size(samples)
    body = head + fingerprint[:FINGERPRINT_BYTES] + step.to_bytes(STEP_BYTES, "big", signed=True) + payload
    return body + _checksum(body, fingerprint)


def model_hint(data: bytes) -> bytes:
    """The first bytes of the fingerprint of the model that a file was made with.

    Raises:
        BitstreamError: the file is foreign, of another version, or ends within its header.
    """
    return _read_header(data)[1]


def unpack_speech(data: bytes, fingerprint: bytes) -> SpeechContainer:
    """Reads a file's bytes.

    Args:
        data: the bytes.
        fingerprint: the model's, all 32 bytes.

    Raises:
        BitstreamError: the file is foreign, of another version, truncated, corrupt, or made with another model.
    """
    samples, hint, flags, step, start = _read_header(data)
    if hint != fingerprint[:FINGERPRINT_BYTES]:
        expected = fingerprint[:FINGERPRINT_BYTES].hex()
        raise BitstreamError(f"made with another model: its fingerprint is {hint.hex()}, this model's {expected}")
    body = data[:-CHECKSUM_BYTES]
    if data[-CHECKSUM_BYTES:] != _checksum(body, fingerprint):
        raise BitstreamError("truncated or corrupt: the checksum does not match")
    if flags & ~CONSTANT:
        raise BitstreamError(f"corrupt: it has unknown flags ({flags:04b})")
    return SpeechContainer(samples, fingerprint, bool(flags), step, body[start:])


def _read_header(data: bytes) -> tuple[int, bytes, int, int, int]:
    """Samples, the model's first bytes, flags, step size, and where the payload begins."""
    if not data.startswith(MAGIC):
        raise BitstreamError("not a .vqs file: it does not begin with 'VS'")
    if len(data) < overhead_bytes(1):
        raise BitstreamError("truncated: the file ends within its header")
    version, flags = divmod(data[len(MAGIC)], 16)
    if version != VERSION:
        raise BitstreamError(f"written in version {version} of the format, but this program reads version {VERSION}")
    samples, position = unpack_size(data, len(MAGIC) + 1, least=1)
    start = position + FINGERPRINT_BYTES
    end = start + STEP_BYTES
    if len(data) < end + CHECKSUM_BYTES:
        raise BitstreamError("truncated: the file ends within its header")
    return samples, data[position:start], flags, int.from_bytes(data[start:end], "big", signed=True), end


def _checksum(body: bytes, fingerprint: bytes) -> bytes:
    """CRC-32 of the model's fingerprint and all bytes of the file before it."""
    return zlib.crc32(body, zlib.crc32(fingerprint)).to_bytes(CHECKSUM_BYTES, "big")
