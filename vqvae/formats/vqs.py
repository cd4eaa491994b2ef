"""The file of speech, `.vqs`; docs/format.md describes it byte for byte."""

import zlib
from typing import NamedTuple

from vqvae.errors import BitstreamError, UnknownModelError
from vqvae.formats.varint import LARGEST, pack_size, unpack_size

MAGIC = b"VS"
VERSION = 1
CONSTANT = 1  # flag: each frame has a step size of its own
HINT_BYTES, STEP_BYTES, CHECKSUM_BYTES = 3, 2, 4


class SpeechContainer(NamedTuple):
    """What a file says.

    Attributes:
        samples: how many, at the model's rate.
        model_id: the model's id, all 32 bytes: three of them are in the file, and the checksum covers all.
        constant: whether each frame has a step size of its own.
        step: the step size of all frames, or what those of single frames start from.
        payload: the frames.
    """

    samples: int
    model_id: bytes
    constant: bool
    step: int
    payload: bytes


class SpeechHeader(NamedTuple):
    """What a file says before its payload, not verified.

    Attributes:
        version: of the format.
        flags: the other bits of the kind.
        samples: how many, at the model's rate.
        hint: the first bytes of the model's id.
        step: the step size.
        bytes: the header's size.
    """

    version: int
    flags: int
    samples: int
    hint: bytes
    step: int
    bytes: int

    @property
    def constant(self) -> bool:
        """Whether each frame has a step size of its own."""
        return bool(self.flags & CONSTANT)


def overhead_bytes(samples: int) -> int:
    """Bytes of a file besides its payload."""
    return len(MAGIC) + 1 + len(pack_size(samples)) + HINT_BYTES + STEP_BYTES + CHECKSUM_BYTES


def pack_speech(container: SpeechContainer) -> bytes:
    """The file's bytes."""
    samples, model_id, constant, step, payload = container
    if not 1 <= samples <= LARGEST:
        raise ValueError(f"there are {samples} samples, but there must be from 1 to {LARGEST}")
    head = MAGIC + bytes([VERSION << 4 | CONSTANT * constant]) + pack_size(samples)
    body = head + model_id[:HINT_BYTES] + step.to_bytes(STEP_BYTES, "big", signed=True) + payload
    return body + _checksum(body, model_id)


def unpack_speech(data: bytes, model_id: bytes) -> SpeechContainer:
    """Reads a file's bytes.

    Args:
        data: the bytes.
        model_id: the model's id, all 32 bytes.

    Raises:
        UnknownModelError: the file was made with another model.
        BitstreamError: the file is foreign, of another version, truncated or corrupt.
    """
    header = read_header(data)
    own = model_id[:HINT_BYTES]
    if header.hint != own:
        raise UnknownModelError(
            f"made with another model, or corrupt: its model's id begins with {header.hint.hex()}, "
            f"this model's with {own.hex()}: name its model's file with --model"
        )
    body = data[:-CHECKSUM_BYTES]
    if data[-CHECKSUM_BYTES:] != _checksum(body, model_id):
        raise BitstreamError("truncated or corrupt: the checksum does not match")
    if header.flags & ~CONSTANT:
        raise BitstreamError(f"corrupt: it has unknown flags ({header.flags:04b})")
    return SpeechContainer(header.samples, model_id, header.constant, header.step, body[header.bytes :])


def read_header(data: bytes) -> SpeechHeader:
    """Reads what comes before the payload, and verifies nothing but that it is there.

    Raises:
        BitstreamError: the file is foreign, of another version, or ends within its header.
    """
    if not data.startswith(MAGIC):
        raise BitstreamError("not a .vqs file: it does not begin with 'VS'")
    if len(data) < overhead_bytes(1):
        raise _truncated_header()
    version, flags = divmod(data[len(MAGIC)], 16)
    if version != VERSION:
        raise BitstreamError(f"written in version {version} of the format, but this program reads version {VERSION}")
    samples, position = unpack_size(data, len(MAGIC) + 1, least=1)
    start = position + HINT_BYTES
    end = start + STEP_BYTES
    if len(data) < end + CHECKSUM_BYTES:
        raise _truncated_header()
    step = int.from_bytes(data[start:end], "big", signed=True)
    return SpeechHeader(version, flags, samples, data[position:start], step, end)


def _truncated_header() -> BitstreamError:
    return BitstreamError("truncated: the file ends within its header")


def _checksum(body: bytes, model_id: bytes) -> bytes:
    """CRC-32 of the model's id and all bytes of the file before it."""
    return zlib.crc32(body, zlib.crc32(model_id)).to_bytes(CHECKSUM_BYTES, "big")
