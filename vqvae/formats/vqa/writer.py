"""Images at the end of an archive. What is there already is never touched."""

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
    """Gathers images and writes a block when it is full.

    Args:
        file: the archive, opened for appending without a buffer.
        archive: what is in it.

    Attributes:
        archive: what was in it before.
    """

    def __init__(self, file: FileIO, archive: Archive):
        self._file = file
        self.archive = archive
        self._end = archive.end
        self._names: set[str] = set()  # of those added since
        self._waiting: list[Entry] = []
        self._waiting_bytes = 0

    def check_name(self, name: str) -> None:
        """Raises VqvaeError unless a further image may be called so."""
        if not is_valid_name(name):
            raise VqvaeError(f"{name!r} cannot name an image in an archive: it is no plain relative path: rename it")
        if name in self._names or name in self.archive:
            raise VqvaeError(f"{self.archive.path}: holds an image {name!r} already: rename one of the two")

    def add(self, entry: Entry) -> None:
        """Adds an image; it is in the file once its block is written, at the latest when the appending ends.

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
        """Writes the images that wait for their block to fill."""
        if self._waiting:
            block = pack_block(self._waiting, self.archive.named)
            self._file.truncate(self._end)  # what a stopped writer has left, or a full disk
            _write(self._file, block)
            self._end += len(block)
            self._waiting, self._waiting_bytes = [], 0


@contextmanager
def append(path: Path, model_id: ModelId, named: bool = True) -> Iterator[Appender]:
    """Opens an archive for appending; a new one where there is none.

    Args:
        path: the file.
        model_id: of the model that makes the images.
        named: whether the images have names.

    Raises:
        BitstreamError: the file is no archive, corrupt, or made with another model.
        UsageError: it has names and these have none, or the reverse.
        VqvaeError: another process appends to it.
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
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # given back when the file is closed
        except BlockingIOError:
            raise VqvaeError(f"{path}: another process is appending to it: wait until it is done") from None


def _begin(file: FileIO, header: bytes) -> None:
    """Writes the header of a new archive, or the rest of one whose writer was stopped within it."""
    file.seek(0)
    there = file.read(HEADER_BYTES)
    if header.startswith(there):
        _write(file, header[len(there) :])


def _write(file: FileIO, data: bytes) -> None:
    """Writes everything, down to the disk."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(file.name)
        raise
