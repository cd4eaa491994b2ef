"""The commands on archives: images into one, and out of one."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from vqvae.bulk.batching import decoding, encoding
from vqvae.bulk.pipeline import Steps
from vqvae.bulk.plan import Job, locate
from vqvae.cli.models import Models
from vqvae.cli.progress import attempt_ahead, attempt_each, messages, run
from vqvae.codec import ImageCodec
from vqvae.errors import UsageError, VqvaeError, errors_of
from vqvae.formats import Coded
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import HEADER_BYTES, Archive
from vqvae.formats.vqa.writer import append
from vqvae.media.images import READABLE, check_writable_format, read_image, write_image


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
        codec = models.for_archive(Archive(path))
    else:
        codec = models.codec(models.path_for_all(partial(read_image, job.source) for job in jobs))
    path.parent.mkdir(parents=True, exist_ok=True)
    claimed: dict[str, Path] = {}
    with append(path, codec.model_id, named) as appender:
        before = appender.archive
        tell_torn(before)
        if len(before) and not named:
            raise UsageError(f"{path}: holds images without names, so no one knows which: choose another archive")

        def work(job: Job) -> Steps:
            name = job.target.relative_to(path).as_posix()
            if named:
                owner = claimed.setdefault(name, job.source)
                if owner != job.source:
                    raise VqvaeError(f"{job.source}: {name!r} is the name of {owner} already: rename one of the two")
                if name in before:
                    return f"{job.target}: exists, kept"
                appender.check_name(name)
            image = yield partial(read_image, job.source)
            with errors_of(job.source):
                coded = yield encoding(codec, image)
            height, width, _ = image.shape
            appender.add(Entry(name, width, height, coded.entropy_code, coded.sections[0]))
            return f"{job.source} → {job.target}"

        failed = attempt_ahead(jobs, work, workers)
    after = Archive(path)
    added = len(after) - len(before)
    messages.print(f"{added} added, {len(jobs) - added - failed} kept, {failed} failed")
    messages.print(f"{path}: {len(after)} images, {after.end} bytes")
    return not failed


def decode_from(
    archive: Archive,
    codec: ImageCodec,
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
    archive.check_model(codec.model_id)
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

    def work(job: Job) -> Steps:
        yield None  # a block is read once for all its images
        entry = archive[numbers[job]]
        with errors_of(job.source):
            coded = Coded(entry.entropy_code, (entry.payload,))
            image = yield decoding(codec, coded, entry.height, entry.width, stages)
        yield partial(write_image, image, job.target)
        return f"{job} → {job.target}: {image.shape[1]}×{image.shape[0]}"

    return run(list(numbers), work, force, workers) and not failed


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
