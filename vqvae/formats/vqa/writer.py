"""Appending images to an archive. Existing blocks are never changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from vqvae.errors import UsageError, VqvaeError
from vqvae.formats.model_id import ModelId
from vqvae.formats.vqa.block import MOST_IMAGES, MOST_PAYLOAD, Entry, check_entry, is_valid_name, pack_block
from vqvae.formats.vqa.reader import HEADER_BYTES, Archive, Header

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


class Appender:
    """Collects images and writes full blocks.

    Args:
        file: the archive, opened for appending without a buffer.
        archive: its contents.

    Attributes:
        archive: its contents when it was opened.
    """

    def __init__(self, file: FileIO, archive: Archive):
        self._file = file
        self.archive = archive
        self._end = archive.end
        self._names: set[str] = set()  # of those added since
        self._waiting: list[Entry] = []
        self._waiting_bytes = 0

    def check_name(self, name: str) -> None:
        """Raises VqvaeError unless a new image may have this name."""
        if not is_valid_name(name):
            raise VqvaeError(f"{name!r} cannot name an image in an archive: not a plain relative path: rename the file")
        if name in self._names or name in self.archive:
            raise VqvaeError(f"{self.archive.path}: holds an image {name!r} already: rename one of the two")

    def add(self, entry: Entry) -> None:
        """Adds an image; it is written with its block, at the latest when the archive is closed.

        Raises:
            VqvaeError: its name is taken, or not allowed.
            ValueError: a number is out of range.
        """
        check_entry(entry)
        if self.archive.named:
            self.check_name(entry.name)
        if len(self._waiting) == MOST_IMAGES or self._waiting_bytes + len(entry.payload) > MOST_PAYLOAD:
            self.flush()
        self._names.add(entry.name)
        self._waiting.append(entry)
        self._waiting_bytes += len(entry.payload)

    def flush(self) -> None:
        """Writes the images of the block that is not full yet."""
        if self._waiting:
            block = pack_block(self._waiting, self.archive.named)
            self._file.truncate(self._end)  # an incomplete block of an interrupted writer, or of a full disk
            _write(self._file, block)
            self._end += len(block)
            self._waiting, self._waiting_bytes = [], 0


@contextmanager
def append(path: Path, model_id: ModelId, named: bool = True) -> Iterator[Appender]:
    """Opens an archive for appending; creates it if it does not exist.

    Args:
        path: the file.
        model_id: of the model of the images.
        named: whether the images have names.

    Raises:
        BitstreamError: the file is not an archive, corrupt, or made with another model.
        UsageError: it has names and the images have none, or the reverse.
        VqvaeError: another process is appending to it.
    """
    with path.open("a+b", buffering=0) as file:
        _lock(file, path)
        _begin(file, Header(model_id.whole, named).pack())
        archive = Archive(path)
        archive.check_model(model_id)
        if archive.named != named:
            raise UsageError(f"{path}: its images have {'' if archive.named else 'no '}names: choose another archive")
        appender = Appender(file, archive)
        try:
            yield appender
        finally:
            appender.flush()


def _lock(file: FileIO, path: Path) -> None:
    if fcntl:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the file is closed
        except BlockingIOError:
            raise VqvaeError(f"{path}: another process is appending to it: wait until it is done") from None


def _begin(file: FileIO, header: bytes) -> None:
    """Writes the header of a new archive, or completes one that was interrupted."""
    file.seek(0)
    there = file.read(HEADER_BYTES)
    if header.startswith(there):
        _write(file, header[len(there) :])


def _write(file: FileIO, data: bytes) -> None:
    """Writes all data and flushes it to disk."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(file.name)
        raise
