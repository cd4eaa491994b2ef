"""Pipeline tasks for files: an image to a .vqz file, or back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import UInt8

from vqvae.bulk.batching import compression, decompression
from vqvae.bulk.outputs import check_inside, make_folders
from vqvae.bulk.pipeline import BatchRequest, Task
from vqvae.bulk.plan import Job
from vqvae.codec import ImageCodec
from vqvae.entropy.base import Track
from vqvae.errors import VqvaeError, errors_of
from vqvae.formats import Chunks, Coded
from vqvae.media.atomic import atomic_path
from vqvae.media.images import Picture, check_writable_format, read_picture, write_picture
from vqvae.media.metadata_chunks import to_chunks, to_picture
from vqvae.models.store import ModelStore

Loaded = TypeVar("Loaded")

LARGE = 2**24
"""Pixels of an image that takes long enough to be announced."""

BYTES_A_PIXEL = 14
"""Memory while an image is compressed or decompressed; verified by a test."""


class FileResult(NamedTuple):
    """The result for one file.

    Attributes:
        source, target: the files.
        kept: whether the target existed and was kept.
        width, height: of the image, in pixels; 0 if the target was kept.
        bytes: size of the compressed file.
        stages: numbers of decoded and of all stages, if not all were decoded.
        lost: names of metadata missing in the target, because its format cannot hold it, for instance.
    """

    source: Path
    target: Path
    kept: bool = False
    width: int = 0
    height: int = 0
    bytes: int = 0
    stages: tuple[int, int] | None = None
    lost: tuple[str, ...] = ()


def ignore(message: str) -> None:
    """Ignores a message."""


@dataclass(frozen=True)
class FileTask(Task[Job, Loaded, FileResult]):
    """The base of tasks for files: checks whether the target may be written.

    Attributes:
        store: the models.
        overwrite: whether to replace targets that exist.
        announce: called with a message about images that take long.
    """

    store: ModelStore
    overwrite: bool = False
    announce: Callable[[str], None] = ignore
    _owners: dict[Path, Path] = field(default_factory=dict, kw_only=True, repr=False)  # of targets, the sources

    def skip(self, item: Job) -> FileResult | None:
        """The result if the target is kept.

        Raises:
            VqvaeError: the target is another source's, the source itself, or outside the output folder.
        """
        source, target, folder = item
        owner = self._owners.setdefault(target, source)
        if owner != source:
            raise VqvaeError(f"{source}: {target} is the output of {owner} already: rename one of the two")
        if target.exists() and source.exists() and target.samefile(source):
            raise VqvaeError(f"{source}: would be replaced by its own output: name another with -o")
        if folder is not None:
            check_inside(target, folder)
        if target.exists() and not self.overwrite:
            return FileResult(source, target, kept=True)
        return None

    def announce_large(self, source: Path, height: int, width: int) -> None:
        """Announces a large image."""
        if width * height > LARGE:
            memory = width * height * BYTES_A_PIXEL / 1e9
            self.announce(f"{source}: {width}×{height} pixels: takes a while, and about {memory:.1f} GB of memory")


@dataclass(frozen=True)
class CompressFiles(FileTask[tuple[Picture, Chunks]]):
    """Compresses image files to .vqz files.

    Attributes:
        quality, bpp, psnr, progressive, metadata, effort, track: as in `compress_file`.
    """

    quality: float | None = None
    bpp: float | None = None
    psnr: float | None = None
    progressive: bool = False
    metadata: bool = False
    effort: int = 0
    track: Track = iter

    def read(self, item: Job) -> tuple[Picture, Chunks]:
        picture = read_picture(item.source, self.metadata)
        return picture, to_chunks(picture)

    def request(self, item: Job, loaded: tuple[Picture, Chunks]) -> BatchRequest:
        picture, chunks = loaded
        height, width, _ = picture.pixels.shape
        self.announce_large(item.source, height, width)
        with errors_of(item.source):
            codec = self.store.for_image(picture.pixels)
            quality = self._quality(codec, picture, chunks)
        write = partial(self._write, item, codec, (height, width), chunks, picture.lost)
        return compression(codec, picture.pixels, write, self.progressive, quality, self.effort, self.track)

    def _quality(self, codec: ImageCodec, picture: Picture, chunks: Chunks) -> float | None:
        if self.bpp is not None:
            return codec.quality_for(picture.pixels, self.bpp, chunks)
        if self.psnr is not None:
            return codec.quality_for_psnr(picture.pixels, self.psnr)
        return self.quality

    def _write(
        self, item: Job, codec: ImageCodec, size: tuple[int, int], chunks: Chunks, lost: tuple[str, ...], coded: Coded
    ) -> FileResult:
        height, width = size
        data = codec.pack(coded, height, width, chunks)
        make_folders(item.target.parent)
        with atomic_path(item.target) as temporary:
            temporary.write_bytes(data)
        return FileResult(item.source, item.target, width=width, height=height, bytes=len(data), lost=lost)


@dataclass(frozen=True)
class DecompressFiles(FileTask[bytes]):
    """Decompresses .vqz files to image files.

    Attributes:
        stages: decode the first stages only.
    """

    stages: int | None = None

    def read(self, item: Job) -> bytes:
        check_writable_format(item.target)
        return item.source.read_bytes()

    def request(self, item: Job, loaded: bytes) -> BatchRequest:
        with errors_of(item.source):
            codec, container = self.store.unpack(loaded, self.stages)
        self.announce_large(item.source, container.height, container.width)
        stages = decoded_stages(codec, container.coded, self.stages)
        write = partial(self._write, item, len(loaded), container.chunks, stages)
        return decompression(codec, container.coded, container.height, container.width, write, self.stages)

    def _write(
        self, item: Job, size: int, chunks: Chunks, stages: tuple[int, int] | None, pixels: UInt8[np.ndarray, "H W 3"]
    ) -> FileResult:
        with errors_of(item.source):
            picture = to_picture(pixels, chunks)
        make_folders(item.target.parent)
        lost = write_picture(picture, item.target)
        height, width, _ = pixels.shape
        return FileResult(item.source, item.target, False, width, height, size, stages, tuple(lost))


def decoded_stages(codec: ImageCodec, coded: Coded, stages: int | None) -> tuple[int, int] | None:
    """Numbers of decoded stages and of the model's stages; None if all are decoded."""
    every = codec.stages
    used = min(stages or every, len(coded.sections) if coded.progressive else every)
    return (used, every) if used < every else None
