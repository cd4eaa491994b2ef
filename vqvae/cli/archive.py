"""The commands on archives: images into one, and out of one."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from vqvae.cli.jobs import Job, Steps, attempt_ahead, attempt_each, locate, messages, run
from vqvae.cli.models import Models
from vqvae.codec import Codec
from vqvae.coding import Coded
from vqvae.coding.append import Appender, append
from vqvae.coding.archive import HEADER_BYTES, Archive, read_header
from vqvae.coding.block import Entry
from vqvae.errors import BitstreamError, UsageError, VqvaeError, errors_of
from vqvae.images import READABLE, check_writable_format, read_image, write_image

MOST_IMAGES = 64  # in a batch
MOST_PIXELS = 2**20  # of all images in a batch, unless it is a single one


def most_images(height: int, width: int) -> int:
    """How many images of a size are encoded or decoded together."""
    return min(MOST_IMAGES, max(1, MOST_PIXELS // (height * width)))


class Encoding:
    """Encodes images of one size together, as they come, and appends them.

    Args:
        codec: encodes.
        appender: of the archive.
    """

    def __init__(self, codec: Codec, appender: Appender):
        self._codec = codec
        self._appender = appender
        self._names: list[str] = []
        self._images: list[np.ndarray] = []

    def add(self, name: str, image: UInt8[np.ndarray, "H W 3"]) -> None:
        """Takes an image; it is encoded when the batch is full, when one of another size comes, or by `finish`."""
        if self._images and self._images[0].shape != image.shape:
            self.finish()
        self._names.append(name)
        self._images.append(image)
        if len(self._images) == most_images(*image.shape[:2]):
            self.finish()

    def finish(self) -> None:
        """Encodes what waits for its batch to fill."""
        if not self._images:
            return
        names, images = self._names, np.stack(self._images)
        self._names, self._images = [], []
        height, width = images.shape[1:3]
        for name, coded in zip(names, self._codec.encode(images), strict=True):
            self._appender.add(Entry(name, width, height, coded.entropy_code, coded.sections[0]))


def encode_into(path: Path, inputs: Sequence[Path], models: Models, named: bool, workers: int) -> bool:
    """Appends images to an archive, without those whose names it has already.

    Args:
        path: the archive, made where there is none.
        inputs: image files and folders.
        models: of which one encodes them; that of the archive, if it is there.
        named: whether the images keep their names: their paths in the folders given.
        workers: how many images may be read while others are encoded.

    Returns:
        whether none failed.

    Raises:
        BitstreamError: `path` is something else, corrupt, or made with another model.
        UsageError: without names, it could not be told which images are there already.
    """
    jobs = list(dict.fromkeys(Job(source, path / inner) for source, inner in locate(inputs, READABLE)))
    if path.exists() and path.stat().st_size >= HEADER_BYTES:
        codec = models.for_file(read_header(path).fingerprint)
    else:
        codec = models.codec(models.for_all(partial(read_image, job.source) for job in jobs))
    path.parent.mkdir(parents=True, exist_ok=True)
    claimed: dict[str, Path] = {}
    with append(path, codec.fingerprints.whole, named) as appender:
        before = appender.archive
        tell_torn(before)
        if len(before) and not named:
            raise UsageError(f"{path}: holds images without names, so no one knows which: choose another archive")
        encoding = Encoding(codec, appender)

        def work(job: Job) -> Steps:
            name = job.target.relative_to(path).as_posix()
            if named:
                owner = claimed.setdefault(name, job.source)
                if owner != job.source:
                    raise VqvaeError(f"{job.source}: {name!r} is the name of {owner} already: rename one of the two")
                if name in before:
                    return f"{job.target}: exists, kept"
                appender.check_name(name)
            encoding.add(name, (yield partial(read_image, job.source)))
            return f"{job.source} → {job.target}"

        failed = attempt_ahead(jobs, work, workers)
        encoding.finish()
    after = Archive(path)
    added = len(after) - len(before)
    messages.print(f"{added} added, {len(jobs) - added - failed} kept, {failed} failed")
    messages.print(f"{path}: {len(after)} images, {after.end} bytes")
    return not failed


def decode_from(
    archive: Archive,
    codec: Codec,
    only: Sequence[str],
    output: Path | None,
    suffix: str,
    force: bool,
    stages: int | None,
    workers: int,
) -> bool:
    """Writes the images of an archive to a folder that keeps their tree.

    Args:
        archive: where they are.
        codec: decodes them.
        only: the names of those to decode; none means all.
        output: the folder; by default beside the archive, and called like it.
        suffix: of the image files to write.
        force: whether to replace files that exist.
        stages: use the first so many stages alone; None for all.
        workers: how many images may be written while others are decoded.

    Returns:
        whether none failed.

    Raises:
        UsageError: `output` is no name for a folder.
        BitstreamError: another model made the archive.
    """
    archive.check_model(codec.fingerprints.whole)
    tell_torn(archive)
    folder = output or archive.path.with_suffix("")
    if folder == archive.path or (folder.suffix.lower() in READABLE and not folder.is_dir()):
        raise UsageError(f"{folder}: the images of an archive go into a folder: name one with -o")
    check_writable_format(folder / f"image{suffix}")
    wanted: list[int] = []
    failed = attempt_each(list(only), lambda name: wanted.append(archive.number_of(name)))
    names = archive.names
    targets = target_names(names, suffix)
    numbers = {
        Job(archive.path / names[number], folder / targets[number]): number
        for number in (wanted if only else range(len(archive)))
    }
    decoding = Decoding(codec, archive, sorted(numbers.values()), stages)

    def work(job: Job) -> Steps:
        yield None  # reading is part of the decoding
        image = decoding.image(numbers[job])
        yield partial(write_image, image, job.target)
        return f"{job} → {job.target}: {image.shape[1]}×{image.shape[0]}"

    return run(list(numbers), work, force, workers) and not failed


class Decoding:
    """Decodes images of one size together, ahead of being asked.

    Args:
        codec: decodes.
        archive: where the images are.
        wanted: the numbers of those that will be asked for.
        stages: use the first so many stages alone; None for all.
    """

    def __init__(self, codec: Codec, archive: Archive, wanted: Sequence[int], stages: int | None):
        self._codec = codec
        self._archive = archive
        self._wanted = wanted
        self._stages = stages
        self._ready: dict[int, np.ndarray] = {}

    def image(self, number: int) -> UInt8[np.ndarray, "H W 3"]:
        """The image of this number, which is one of those wanted.

        Raises:
            BitstreamError: it is corrupt.
        """
        if number not in self._ready:
            try:
                self._decode(self._batch_from(number))
            except BitstreamError:
                self._decode([number])  # the damage may be another's
        return self._ready[number]

    def _batch_from(self, number: int) -> list[int]:
        """The image and those wanted next, as far as they have the same size."""
        height, width = self._size(number)
        start = bisect_left(self._wanted, number)
        batch = self._wanted[start : start + most_images(height, width)]
        return list(takewhile(lambda other: self._size(other) == (height, width), batch))

    def _decode(self, batch: Sequence[int]) -> None:
        entries = [self._archive[number] for number in batch]
        coded = [Coded(entry.entropy_code, (entry.payload,)) for entry in entries]
        with errors_of(f"{self._archive.path}/{entries[0].name}"):
            images = self._codec.decode(coded, *self._size(batch[0]), self._stages)
        self._ready = dict(zip(batch, images, strict=True))

    def _size(self, number: int) -> tuple[int, int]:
        return int(self._archive.heights[number]), int(self._archive.widths[number])


def target_names(names: Sequence[str], suffix: str) -> list[PurePosixPath]:
    """What each image's file is called: its suffix replaced, or kept before the new one where two would be the same."""
    replaced = [PurePosixPath(name).with_suffix(suffix) for name in names]
    times = Counter(replaced)
    return [
        path if times[path] == 1 else PurePosixPath(name + suffix) for name, path in zip(names, replaced, strict=True)
    ]


def tell_torn(archive: Archive) -> None:
    """Says so where the last block is not complete."""
    if archive.torn_bytes:
        messages.print(f"{archive.path}: its last block was not finished: {archive.torn_bytes} bytes are ignored")
