"""What the tests of archives share."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from vqvae.formats import ModelId
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqa.writer import append

MODEL = ModelId(bytes(range(32)), bytes(32), ((bytes(range(100, 132)), bytes(32)),))
SMALL = [Entry("a.png", 32, 300, 0, b"12345"), Entry("b/c.jpg", 32, 300, 1, b""), Entry("b/d", 7, 9, 0, b"xyz")]


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def block_of(numbers: bytes, names: bytes, payloads: bytes) -> bytes:
    """A block with checksums that match, whatever it says."""
    sizes = struct.pack(">3I", len(numbers), len(names), len(payloads)) + crc(numbers + names) + crc(payloads)
    return sizes + crc(sizes) + numbers + names + payloads


def written(path: Path, *blocks: Sequence[Entry], named: bool = True) -> bytes:
    """The bytes of an archive, each of whose appenders has added some images."""
    for entries in blocks:
        with append(path, MODEL, named) as appender:
            for entry in entries:
                appender.add(entry)
    return path.read_bytes()


def opened(path: Path, data: bytes) -> Archive:
    path.write_bytes(data)
    return Archive(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.vqa"
