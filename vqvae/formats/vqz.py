"""The file around a payload; docs/format.md describes it byte for byte."""

import zlib
from typing import NamedTuple

from vqvae.errors import BitstreamError
from vqvae.formats.chunks import NOTHING, Chunks, pack_chunks, unpack_chunks
from vqvae.formats.varint import LARGEST, pack_size, unpack_size

MAGIC = b"VQ"
VERSION = 2
WITH_CHUNKS = 3  # the version of files that have any
READABLE = (1, 2, 3)
PROGRESSIVE = 8  # among the low four bits of the byte that holds the version
FINGERPRINT_BYTES = 3
CHECKSUM_BYTES = 4


class Coded(NamedTuple):
    """An image's indices as bytes.

    Attributes:
        entropy_code: the kind of entropy model that made the sections, 0 to 7.
        sections: one for all stages, or, where progressive, one for each.
        progressive: whether the sections are of one stage each; the last may then be missing.
    """

    entropy_code: int
    sections: tuple[bytes, ...]
    progressive: bool = False

    @property
    def payload_bytes(self) -> int:
        """Bytes of the coded indices alone."""
        return sum(map(len, self.sections))


class Container(NamedTuple):
    """What a file holds.

    Attributes:
        width, height: of the image, in pixels.
        fingerprint: first bytes of the model's fingerprint.
        coded: the coded indices.
        chunks: what belongs to the image besides.
    """

    width: int
    height: int
    fingerprint: bytes
    coded: Coded
    chunks: Chunks = NOTHING


def pack(container: Container) -> bytes:
    """The file's bytes."""
    width, height, fingerprint, (entropy_code, sections, progressive), chunks = container
    for name, side in {"width": width, "height": height}.items():
        if not 1 <= side <= LARGEST:
            raise ValueError(f"the image's {name} is {side} pixels, but must be from 1 to {LARGEST}")
    kind = (WITH_CHUNKS if chunks else VERSION) << 4 | PROGRESSIVE * progressive | entropy_code
    header = MAGIC + bytes([kind]) + pack_size(width) + pack_size(height)
    parts = [header + fingerprint[:FINGERPRINT_BYTES]]
    if chunks:
        packed = pack_chunks(chunks)
        parts[0] += pack_size(len(packed)) + packed
    checksum = zlib.crc32(parts[0])
    for section in sections:
        part = (pack_size(len(section)) if progressive else b"") + section
        checksum = zlib.crc32(part, checksum)
        end = checksum.to_bytes(CHECKSUM_BYTES, "big")
        checksum = zlib.crc32(end, checksum)
        parts += [part, end]
    return b"".join(parts)


def unpack(data: bytes, stages: int | None = None) -> Container:
    """Reads a file's bytes.

    Args:
        data: the bytes. A progressive file may have been cut after any of its sections.
        stages: read so many sections of a progressive file and do not look at the rest.

    Raises:
        BitstreamError: the file is foreign, of another version, truncated or corrupt.
    """
    if not data.startswith(MAGIC):
        raise BitstreamError("not a .vqz file: it does not begin with 'VQ'")
    if len(data) <= len(MAGIC) + CHECKSUM_BYTES:
        raise BitstreamError("truncated: the file ends within its header")
    version, kind = divmod(data[len(MAGIC)], 16)
    if version not in READABLE:
        raise BitstreamError(f"written in version {version} of the format, but this program reads up to {READABLE[-1]}")
    progressive = version > 1 and kind >= PROGRESSIVE
    body = data if progressive else data[:-CHECKSUM_BYTES]
    if not progressive and data[-CHECKSUM_BYTES:] != _checksum(body):
        raise BitstreamError("truncated or corrupt: the checksum does not match")
    width, position = unpack_size(body, len(MAGIC) + 1, least=1)
    height, position = unpack_size(body, position, least=1)
    start = position + FINGERPRINT_BYTES
    if start > len(body):
        raise BitstreamError("truncated: the file ends within its header")
    fingerprint = body[position:start]
    chunks, start = _unpack_chunks(body, start) if version == WITH_CHUNKS else (NOTHING, start)
    sections = _unpack_sections(body, start, stages) if progressive else (body[start:],)
    coded = Coded(kind - PROGRESSIVE * progressive, sections, progressive)
    return Container(width, height, fingerprint, coded, chunks)


def _unpack_chunks(data: bytes, position: int) -> tuple[Chunks, int]:
    length, start = unpack_size(data, position, least=1)
    if start + length > len(data):
        raise BitstreamError("truncated: the file ends within its header")
    return unpack_chunks(data[start : start + length]), start + length


def _unpack_sections(data: bytes, position: int, stages: int | None) -> tuple[bytes, ...]:
    sections: list[bytes] = []
    checksum = zlib.crc32(data[:position])
    while position < len(data) and (stages is None or len(sections) < stages):
        try:
            length, start = unpack_size(data, position)
            end = start + length
            checksum = zlib.crc32(data[position:end], checksum)
            if data[end : end + CHECKSUM_BYTES] != checksum.to_bytes(CHECKSUM_BYTES, "big"):
                raise BitstreamError("the checksum does not match")
        except BitstreamError:
            whole = f"--stages {len(sections)} decodes what is whole" if sections else "no stage is whole"
            raise BitstreamError(f"truncated or corrupt in stage {len(sections) + 1}: {whole}") from None
        sections.append(data[start:end])
        position = end + CHECKSUM_BYTES
        checksum = zlib.crc32(data[end:position], checksum)
    if not sections:
        raise BitstreamError("truncated: the file ends within its header")
    return tuple(sections)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "big")
