"""The file around a payload; docs/format.md describes it byte for byte."""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from vqvae.errors import BitstreamError, UnknownModelError
from vqvae.formats.chunks import NOTHING, Chunks, pack_chunks, unpack_chunks
from vqvae.formats.model_id import ModelId
from vqvae.formats.varint import LARGEST, pack_size, unpack_size

MAGIC = b"VQ"
VERSION = 5  # 4 is skipped: with it, a file could begin like an archive, "VQA"
WITH_CHUNKS = 6  # the version of files with chunks
READABLE = (1, 2, 3, 5, 6)
SEALED = (5, 6)  # their checksums cover the model's id
PROGRESSIVE = 8  # among the low four bits of the byte that holds the version
HINT_BYTES = 3
CHECKSUM_BYTES = 4


class Coded(NamedTuple):
    """An image's indices as bytes.

    Attributes:
        entropy_code: the kind of entropy model that made the sections, 0 to 7.
        sections: one for all stages or, if progressive, one for each layer.
        progressive: whether there is a section for each layer; the last ones may then be missing.
    """

    entropy_code: int
    sections: tuple[bytes, ...]
    progressive: bool = False

    @property
    def payload_bytes(self) -> int:
        """Bytes of the coded indices alone."""
        return sum(map(len, self.sections))


class Container(NamedTuple):
    """The contents of a file.

    Attributes:
        width, height: of the image, in pixels.
        model_id: of the model that made the file.
        coded: the coded indices.
        chunks: metadata and other bytes that are stored with the image.
    """

    width: int
    height: int
    model_id: ModelId
    coded: Coded
    chunks: Chunks = NOTHING


class UnverifiedFile(NamedTuple):
    """A file split into its fields, before its checksums are verified: those of new files cover the model's id.

    Attributes:
        data: the file's bytes.
        version: of the format.
        width, height: of the image, in pixels.
        hint: the first bytes of the model's id.
        entropy_code: the kind of entropy model.
        progressive: whether each stage is a section of its own.
        packed_chunks: the chunks' bytes.
        sections: start and end of each payload in `data`; its checksum follows.
    """

    data: bytes
    version: int
    width: int
    height: int
    hint: bytes
    entropy_code: int
    progressive: bool
    packed_chunks: bytes
    sections: tuple[tuple[int, int], ...]

    @property
    def coded(self) -> Coded:
        """The coded indices."""
        payloads = tuple(self.data[start:end] for start, end in self.sections)
        return Coded(self.entropy_code, payloads, self.progressive)

    @property
    def chunks(self) -> Chunks:
        """The chunks.

        Raises:
            BitstreamError: they are corrupt.
        """
        return unpack_chunks(self.packed_chunks)

    def verify(self, models: Iterable[ModelId]) -> ModelId:
        """Verifies the checksums, and returns the model that made the file.

        Raises:
            UnknownModelError: it is none of these.
            BitstreamError: the file is corrupt, or made with a model whose id begins like one of these.
        """
        known = list(models)
        if self.version not in SEALED:
            self._check(self._intact(b""))
            return self._find_by_alias(known)
        candidates = [model for model in known if model.of(self.entropy_code).startswith(self.hint)]
        if not candidates:
            raise self._unknown(known, ", or the file is corrupt")
        intact = [self._intact(model.of(self.entropy_code)) for model in candidates]
        self._check(max(intact), ", or made with another model whose id begins like that of a known one")
        return candidates[intact.index(max(intact))]

    def _intact(self, seed: bytes) -> int:
        """The number of leading sections whose checksums match."""
        data, checksum, done = memoryview(self.data), zlib.crc32(seed), 0
        for number, (_, end) in enumerate(self.sections):
            checksum = zlib.crc32(data[done:end], checksum)
            if data[end : end + CHECKSUM_BYTES] != checksum.to_bytes(CHECKSUM_BYTES, "big"):
                return number
            done = end
        return len(self.sections)

    def _check(self, intact: int, otherwise: str = "") -> None:
        if intact == len(self.sections):
            return
        if not self.progressive:
            raise BitstreamError(f"truncated or corrupt{otherwise}: the checksum does not match")
        raise _corrupt_stage(intact, otherwise if not intact else "")

    def _find_by_alias(self, known: list[ModelId]) -> ModelId:
        found = {
            alias: model for model in known for alias in model.earlier(self.entropy_code) if alias.startswith(self.hint)
        }
        if not found:
            raise self._unknown(known)
        if len(found) > 1:
            raise UnknownModelError(
                f"its model's id begins with {self.hint.hex()}, as those of {len(found)} models do: "
                "name the right one with --model"
            )
        return next(iter(found.values()))

    def _unknown(self, known: list[ModelId], otherwise: str = "") -> UnknownModelError:
        if len(known) == 1:
            ids = [known[0].of(self.entropy_code), *known[0].earlier(self.entropy_code)]
            own = " or ".join(one[:HINT_BYTES].hex() for one in ids)
            return UnknownModelError(
                f"made with another model: its id begins with {self.hint.hex()}, this model's with {own}{otherwise}"
            )
        return UnknownModelError(
            f"made with a model that is not known here (its id begins with {self.hint.hex()}): "
            f"name its file with --model{otherwise}"
        )


def pack(container: Container) -> bytes:
    """A file as bytes."""
    width, height, model, (entropy_code, sections, progressive), chunks = container
    for name, side in {"width": width, "height": height}.items():
        if not 1 <= side <= LARGEST:
            raise ValueError(f"the image's {name} is {side} pixels, but must be from 1 to {LARGEST}")
    model_id = model.of(entropy_code)
    kind = (WITH_CHUNKS if chunks else VERSION) << 4 | PROGRESSIVE * progressive | entropy_code
    parts = [MAGIC + bytes([kind]) + pack_size(width) + pack_size(height) + model_id[:HINT_BYTES]]
    if chunks:
        packed = pack_chunks(chunks)
        parts[0] += pack_size(len(packed)) + packed
    checksum = zlib.crc32(parts[0], zlib.crc32(model_id))
    for section in sections:
        part = (pack_size(len(section)) if progressive else b"") + section
        checksum = zlib.crc32(part, checksum)
        end = checksum.to_bytes(CHECKSUM_BYTES, "big")
        checksum = zlib.crc32(end, checksum)
        parts += [part, end]
    return b"".join(parts)


def unpack(data: bytes, models: Iterable[ModelId], stages: int | None = None) -> Container:
    """Reads a file's bytes.

    Args:
        data: the bytes. A progressive file may have been cut after any of its sections.
        models: ids of the models that may have made it.
        stages: read this number of sections of a progressive file and ignore the rest.

    Raises:
        UnknownModelError: none of the models made it.
        BitstreamError: the file is foreign, of another version, truncated or corrupt.
    """
    file = split(data, stages)
    model = file.verify(models)
    return Container(file.width, file.height, model, file.coded, file.chunks)


def split(data: bytes, stages: int | None = None) -> UnverifiedFile:
    """Splits a file into its fields, without verifying checksums; arguments and errors are those of `unpack`.

    Raises:
        BitstreamError: the file is foreign, of another version, truncated or corrupt.
    """
    if not data.startswith(MAGIC):
        raise BitstreamError("not a .vqz file: it does not begin with 'VQ'")
    if len(data) <= len(MAGIC) + CHECKSUM_BYTES:
        raise _truncated_header()
    version, kind = divmod(data[len(MAGIC)], 16)
    if version not in READABLE:
        raise BitstreamError(f"written in version {version} of the format, but this program reads up to {READABLE[-1]}")
    progressive = version > 1 and kind >= PROGRESSIVE
    body = data if progressive else data[:-CHECKSUM_BYTES]
    width, position = unpack_size(body, len(MAGIC) + 1, least=1)
    height, position = unpack_size(body, position, least=1)
    start = position + HINT_BYTES
    if start > len(body):
        raise _truncated_header()
    hint = body[position:start]
    chunks = b""
    if version in (3, WITH_CHUNKS):
        length, position = unpack_size(body, start, least=1)
        start = position + length
        chunks = body[position:start]
        if start > len(body):
            raise _truncated_header()
    sections = _find_sections(body, start, stages) if progressive else ((start, len(body)),)
    entropy_code = kind - PROGRESSIVE * progressive
    return UnverifiedFile(data, version, width, height, hint, entropy_code, progressive, chunks, sections)


def _find_sections(data: bytes, position: int, stages: int | None) -> tuple[tuple[int, int], ...]:
    sections: list[tuple[int, int]] = []
    while position < len(data) and (stages is None or len(sections) < stages):
        try:
            length, start = unpack_size(data, position)
        except BitstreamError:
            raise _corrupt_stage(len(sections)) from None
        position = start + length + CHECKSUM_BYTES
        if position > len(data):
            raise _corrupt_stage(len(sections))
        sections.append((start, start + length))
    if not sections:
        raise _truncated_header()
    return tuple(sections)


def _corrupt_stage(intact: int, otherwise: str = "") -> BitstreamError:
    remedy = f"--stages {intact} decodes the stages before" if intact else "no stage is intact"
    return BitstreamError(f"truncated or corrupt in stage {intact + 1}{otherwise}: {remedy}")


def _truncated_header() -> BitstreamError:
    return BitstreamError("truncated: the file ends within its header")
