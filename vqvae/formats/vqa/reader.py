"""Many images in one file: a header, then blocks; docs/format.md describes it byte for byte."""

import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from vqvae.errors import BitstreamError, UnknownModelError, VqvaeError, errors_of
from vqvae.formats.model_id import ModelId
from vqvae.formats.vqa.block import HEAD_BYTES, Entry, Head, Index, unpack_head, unpack_index

MAGIC = b"VQA"
VERSION = 1
MODEL_HINT_BYTES = 8
WITH_TABLES = 1  # an archive names its model by the whole id, whatever codes its images
HEADER_BYTES = 16


class Header(NamedTuple):
    """The header of an archive.

    Attributes:
        model_hint: the first bytes of the id of the model of all images.
        named: whether images have names; otherwise they are named by their number, from `00000` on.
    """

    model_hint: bytes
    named: bool

    def is_of(self, model_id: ModelId) -> bool:
        """Whether the model made the archive: its id or an alias begins with the hint."""
        return any(one.startswith(self.model_hint) for one in (model_id.whole, *model_id.earlier(WITH_TABLES)))

    def pack(self) -> bytes:
        """The header's bytes."""
        packed = MAGIC + bytes([VERSION << 4 | self.named]) + self.model_hint[:MODEL_HINT_BYTES]
        return packed + zlib.crc32(packed).to_bytes(4, "big")

    @classmethod
    def unpack(cls, data: bytes) -> "Header":
        """Reads an archive's first 16 bytes.

        Raises:
            BitstreamError: the file is foreign, of another version, truncated or corrupt.
        """
        if not data.startswith(MAGIC):
            raise BitstreamError("not an archive: it does not begin with 'VQA'")
        if len(data) < HEADER_BYTES:
            raise BitstreamError("truncated: the file ends within its header")
        version, named = divmod(data[len(MAGIC)], 16)
        if version != VERSION:
            raise BitstreamError(f"written in version {version} of the format, but this program reads {VERSION}")
        if zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
            raise BitstreamError("corrupt: the checksum of its header does not match")
        if named > 1:
            raise BitstreamError("corrupt: its header has an unknown flag")
        return cls(data[len(MAGIC) + 1 : -4], bool(named))


def read_header(path: Path) -> Header:
    """The header of an archive.

    Raises:
        BitstreamError: the file is not an archive, or its header is corrupt.
    """
    with path.open("rb", buffering=0) as file, errors_of(path):
        return Header.unpack(file.read(HEADER_BYTES))


def is_archive(path: Path) -> bool:
    """Whether the file begins like an archive."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class Block(NamedTuple):
    """The position of the payloads of images `first` to `last`: from byte `start` on."""

    first: int
    last: int
    start: int
    head: Head


class Archive:
    """Random access to the images of an archive.

    Opening reads the index of each block, and no payloads. No file is kept open, so an archive may be pickled, and read
    by several processes.

    Args:
        path: the file.

    Attributes:
        header: its header.
        named: whether the images have names.
        widths, heights: of each image, in pixels, uint32 (n,).
        lengths: bytes of each image's payload, uint32 (n,).
        end: bytes up to the end of the last complete block.
        torn_bytes: bytes of an incomplete block at the end, which are ignored.

    Raises:
        BitstreamError: the file is foreign, or corrupt outside the payloads.
    """

    def __init__(self, path: Path):
        self.path = path
        self._blocks: list[Block] = []
        self._names: list[str] = []
        columns = array("I"), array("B"), array("I"), array("I")
        self._last_read: tuple[int, bytes] = (-1, b"")
        self.header = read_header(path)
        self.named = self.header.named
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            for index in self._walk(file, size):
                for column, values in zip(columns, index[:4], strict=True):
                    column.extend(values)
                self._names += index.names
        self.torn_bytes = size - self.end
        self.lengths, self._codes, self.widths, self.heights = map(np.asarray, columns)
        if self.named and len(self._numbers) < len(self):
            raise BitstreamError(f"{path}: corrupt: two of its images have the same name")

    def _walk(self, file: BinaryIO, size: int) -> Iterator[Index]:
        """Reads the indices of all complete blocks."""
        self.end = HEADER_BYTES
        first = 0
        while self.end + HEAD_BYTES <= size:
            file.seek(self.end)
            try:
                head = unpack_head(file.read(HEAD_BYTES))
                start = self.end + HEAD_BYTES + head.index_bytes
                if start + head.payloads_bytes > size:
                    return
                index = unpack_index(file.read(head.index_bytes), head, self.named)
            except BitstreamError as error:
                place = f"{self.path}: block {len(self._blocks)}, from byte {self.end} on"
                raise BitstreamError(f"{place}: {error} (the bytes before it are an archive of their own)") from None
            self._blocks.append(Block(first, first + len(index.lengths) - 1, start, head))
            self.end = start + head.payloads_bytes
            first += len(index.lengths)
            yield index

    def __len__(self) -> int:
        return len(self.lengths)

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[Entry]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, which: int | str) -> Entry:
        """An image by its number or its name; reads only the payloads of its block.

        Raises:
            IndexError: the number is out of range.
            VqvaeError: no image has this name.
            BitstreamError: the block's payloads are corrupt.
        """
        number = self.number_of(which) if isinstance(which, str) else range(len(self))[which]
        block = bisect_right(self._blocks, number, key=lambda block: block.first) - 1
        start = int(self.lengths[self._blocks[block].first : number].sum())
        payload = self._payloads(block)[start : start + int(self.lengths[number])]
        size = int(self.widths[number]), int(self.heights[number])
        return Entry(self._name_of(number), *size, int(self._codes[number]), payload)

    def number_of(self, name: str) -> int:
        """The number of the image with this name.

        Raises:
            VqvaeError: there is none.
        """
        if name not in self:
            raise VqvaeError(f"{self.path}: holds no image {name!r}: `vqvae info {self.path}` lists its images")
        return self._numbers[name]

    @property
    def names(self) -> list[str]:
        """The name of each image."""
        return self._names if self.named else [self._name_of(number) for number in range(len(self))]

    @property
    def names_bytes(self) -> int:
        """Bytes that the names take."""
        return sum(block.head.names_bytes for block in self._blocks)

    def check_model(self, model_id: ModelId) -> None:
        """Raises UnknownModelError unless this model made the archive."""
        if not self.header.is_of(model_id):
            raise UnknownModelError(
                f"{self.path}: made with another model: its id begins with {self.header.model_hint.hex()}, "
                f"this model's with {model_id.whole[:MODEL_HINT_BYTES].hex()}"
            )

    def damaged_blocks(self) -> list[BitstreamError]:
        """Reads all payloads, and returns what is wrong with those of each block that are corrupt."""
        found = []
        for block in range(len(self._blocks)):
            try:
                self._payloads(block)
            except BitstreamError as error:
                found.append(error)
        return found

    def _payloads(self, number: int) -> bytes:
        last_read = self._last_read  # read once: other threads may replace it
        if last_read[0] != number:
            first, last, start, head = self._blocks[number]
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                payloads = file.read(head.payloads_bytes)
            if zlib.crc32(payloads) != head.payloads_checksum:
                raise BitstreamError(
                    f"{self.path}: block {number}: corrupt: the checksum of its payloads does not match "
                    f"(images {first} to {last} are lost, the others are not)"
                )
            self._last_read = last_read = number, payloads
        return last_read[1]

    def _name_of(self, number: int) -> str:
        return self._names[number] if self.named else f"{number:05}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}
