"""Pipeline tasks for archives: adding images, extracting images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from vqvae.bulk.batching import compression, decompression
from vqvae.bulk.names import target_names
from vqvae.bulk.outputs import check_name, make_folders
from vqvae.bulk.pipeline import BatchRequest, Task
from vqvae.bulk.plan import Found, Job
from vqvae.bulk.tasks import FileResult, FileTask
from vqvae.codec import ImageCodec
from vqvae.errors import UsageError, VqvaeError, errors_of
from vqvae.formats import Coded
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import HEADER_BYTES, Archive
from vqvae.formats.vqa.writer import Appender, append
from vqvae.media.images import READABLE, check_writable_format, read_image, write_image
from vqvae.models.store import ModelStore


class Compressed(NamedTuple):
    """An image for an archive.

    Attributes:
        job: its file, and its path in the archive.
        entry: the entry for the archive; None if the archive already has this name.
    """

    job: Job
    entry: Entry | None

    @property
    def kept(self) -> bool:
        """Whether the archive had an image of this name."""
        return self.entry is None


@dataclass(frozen=True)
class CompressForArchive(Task[Job, UInt8[np.ndarray, "H W 3"], Compressed]):
    """Compresses image files for an archive; `Appender.add` adds the results.

    Attributes:
        codec: of the archive.
        appender: of the archive.
        quality: from 0 to 100, of a variable-rate model; None for the default.
    """

    codec: ImageCodec
    appender: Appender
    quality: float | None = None
    _owners: dict[str, Path] = field(default_factory=dict, kw_only=True, repr=False)  # of names, the sources

    def skip(self, item: Job) -> Compressed | None:
        """The result if the archive has an image of this name.

        Raises:
            VqvaeError: the name is another source's, or not allowed.
        """
        archive, name = self.appender.archive, name_in_archive(item)
        if not archive.named:
            return None
        owner = self._owners.setdefault(name, item.source)
        if owner != item.source:
            raise VqvaeError(f"{item.source}: {name!r} is the name of {owner} already: rename one of the two")
        if name in archive:
            return Compressed(item, None)
        self.appender.check_name(name)
        return None

    def read(self, item: Job) -> UInt8[np.ndarray, "H W 3"]:
        return read_image(item.source)

    def request(self, item: Job, loaded: UInt8[np.ndarray, "H W 3"]) -> BatchRequest:
        height, width, _ = loaded.shape

        def make_entry(coded: Coded) -> Compressed:
            entry = Entry(name_in_archive(item), width, height, coded.entropy_code, coded.sections[0])
            return Compressed(item, entry)

        return compression(self.codec, loaded, make_entry, quality=self.quality)


def name_in_archive(job: Job) -> str:
    """The image's name: its path relative to the input folder."""
    return job.target.relative_to(job.folder or Path()).as_posix()


def archive_jobs(path: Path, found: Sequence[Found]) -> list[Job]:
    """A job for each file to add to an archive, without repetitions."""
    jobs = (Job(file, path / file.relative_to(one.root), path) for one in found for file in one.files)
    return list(dict.fromkeys(jobs))


@contextmanager
def open_archive(
    path: Path, jobs: Sequence[Job], store: ModelStore, named: bool
) -> Iterator[tuple[ImageCodec, Appender]]:
    """Opens an archive for adding images, or creates it.

    Args:
        path: of the archive.
        jobs: the first readable image determines the model of a new archive.
        store: the models.
        named: whether images keep their names.

    Raises:
        BitstreamError: `path` is something else, corrupt, or made with another model.
        UsageError: it has images without names, so it is unknown which images it already has.
    """
    if path.exists() and path.stat().st_size >= HEADER_BYTES:
        codec = store.for_archive(Archive(path))
    else:
        codec = store.codec(store.path_for_all(partial(read_image, job.source) for job in jobs))
    make_folders(path.parent)
    with append(path, codec.model_id, named) as appender:
        if len(appender.archive) and not named:
            raise UsageError(f"{path}: holds images without names, so it is unknown which: choose another archive")
        yield codec, appender


@dataclass(frozen=True, kw_only=True)
class DecompressFromArchive(FileTask[None]):
    """Decompresses images of an archive to image files.

    Attributes:
        archive: the archive.
        codec: of its model.
        numbers: of the images, by job.
        stages: decode the first stages only.
    """

    archive: Archive
    codec: ImageCodec
    numbers: dict[Job, int]
    stages: int | None = None

    def skip(self, item: Job) -> FileResult | None:
        check_name(name_in_archive(item))
        return super().skip(item)

    def read(self, item: Job) -> None:
        """Nothing: blocks are read in the order of the images, so that each is read once."""

    def request(self, item: Job, loaded: None) -> BatchRequest:
        entry = self.archive[self.numbers[item]]
        self.announce_large(item.source, entry.height, entry.width)
        coded = Coded(entry.entropy_code, (entry.payload,))
        write = partial(self._write, item, len(entry.payload))
        with errors_of(item.source):
            return decompression(self.codec, coded, entry.height, entry.width, write, self.stages)

    def _write(self, item: Job, size: int, pixels: UInt8[np.ndarray, "H W 3"]) -> FileResult:
        make_folders(item.target.parent)
        write_image(pixels, item.target)
        height, width, _ = pixels.shape
        return FileResult(item.source, item.target, False, width, height, size)


def extraction_jobs(archive: Archive, numbers: Sequence[int], folder: Path, suffix: str) -> dict[Job, int]:
    """A job for each requested image of an archive, and its number.

    Args:
        archive: the archive.
        numbers: of the requested images.
        folder: of the image files, whose names are paths in it.
        suffix: of the image files.

    Raises:
        UsageError: `folder` is no name for a folder.
        ImageError: images of this type cannot be written.
    """
    if folder == archive.path or (folder.suffix.lower() in READABLE and not folder.is_dir()):
        raise UsageError(f"{folder}: the images of an archive go into a folder: name one with -o")
    check_writable_format(folder / f"image{suffix}")
    names = archive.names
    targets = target_names(names, READABLE, suffix)
    return {Job(archive.path / names[number], folder / targets[names[number]], folder): number for number in numbers}
