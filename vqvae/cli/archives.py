"""`encode` and `decode` of an archive, and their messages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vqvae.bulk.archives import (
    Compressed,
    CompressForArchive,
    DecompressFromArchive,
    archive_jobs,
    extraction_jobs,
    open_archive,
)
from vqvae.bulk.outputs import check_local
from vqvae.bulk.plan import Plan, find_all
from vqvae.cli.files import describe_decompressed, figures_of, run_files
from vqvae.cli.progress import run, run_each, say, say_skipped
from vqvae.cli.report import publish
from vqvae.formats.vqa.reader import Archive
from vqvae.media.images import READABLE
from vqvae.models.store import ModelStore


def encode_into_archive(
    path: Path,
    inputs: Sequence[Path],
    store: ModelStore,
    named: bool,
    quality: float | None,
    workers: int,
    json_file: str | None = None,
) -> bool:
    """Adds images to an archive, except those whose names it already has.

    Args:
        path: the archive; created if it does not exist.
        inputs: image files and folders.
        store: the models; an existing archive keeps its model.
        named: whether the images keep their names: their paths in the folders given.
        quality: from 0 to 100, of a variable-rate model; None for the default.
        workers: number of images to read ahead.
        json_file: where to write a report, if anywhere.

    Returns:
        whether none failed.

    Raises:
        BitstreamError: `path` is something else, corrupt, or made with another model.
        UsageError: the archive has no names, so it is unknown which images it already has.
    """
    check_local(path)
    found = find_all(inputs, READABLE)
    say_skipped({one.root: one.skipped for one in found if one.skipped})
    rows: list[dict[str, Any]] = []
    jobs = archive_jobs(path, found)
    with open_archive(path, jobs, store, named) as (codec, appender):
        warn_incomplete(appender.archive)

        def add(result: Compressed) -> str:
            names = {"source": str(result.job.source), "target": str(result.job.target), "kept": result.kept}
            if result.entry is None:
                rows.append(names)
                return f"{result.job.target}: exists, kept"
            _, width, height, _, payload = result.entry
            rows.append({**names, "width": width, "height": height, "payload_bytes": len(payload)})
            appender.add(result.entry)
            return f"{result.job.source} → {result.job.target}"

        tally = run(jobs, CompressForArchive(codec, appender, quality), workers, add)
    after = Archive(path)
    say(tally.summary("added"))
    say(f"{path}: {len(after)} images, {after.end} bytes")
    skipped = {str(one.root): dict(one.skipped) for one in found if one.skipped}
    facts = {"archive": str(path), "images": len(after), "bytes": after.end}
    publish("encode", {**facts, **figures_of(tally), "skipped": skipped, "per_file": rows}, json_file, tally.errors)
    return not tally.failed


def decode_archive(
    archive: Archive,
    store: ModelStore,
    only: Sequence[str],
    output: Path | None,
    suffix: str,
    force: bool,
    stages: int | None,
    workers: int,
    json_file: str | None = None,
) -> bool:
    """Writes the images of an archive to a folder that keeps their tree.

    Args:
        archive: the archive.
        store: the models.
        only: names of the images to decode; empty for all.
        output: the folder; by default beside the archive, with its name.
        suffix: of the image files to write.
        force: whether to replace files that exist.
        stages: decode the first stages only; None for all.
        workers: number of images to write in the background.
        json_file: where to write a report, if anywhere.

    Returns:
        whether none failed.

    Raises:
        UsageError: `output` is no name for a folder.
        BitstreamError: another model made the archive.
    """
    codec = store.for_archive(archive)
    check_local(output)
    warn_incomplete(archive)
    wanted: list[int] = []
    failed = run_each(list(only), lambda name: wanted.append(archive.number_of(name)))
    numbers = wanted if only else range(len(archive))
    jobs = extraction_jobs(archive, numbers, output or archive.path.with_suffix(""), suffix)
    task = DecompressFromArchive(store, force, say, archive=archive, codec=codec, numbers=jobs, stages=stages)
    return run_files(Plan(list(jobs), {}), task, workers, describe_decompressed, "decode", json_file, failed)


def warn_incomplete(archive: Archive) -> None:
    """Warns if the last block is incomplete."""
    if archive.torn_bytes:
        say(f"{archive.path}: its last block is incomplete: {archive.torn_bytes} bytes are ignored")
