"""`encode` and `decode` of files, without an archive, and their messages."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vqvae.bulk.plan import COMPRESSED, Plan, plan
from vqvae.bulk.tasks import CompressFiles, DecompressFiles, FileResult, FileTask
from vqvae.cli.progress import ItemError, Tally, run, say, say_skipped
from vqvae.cli.report import publish
from vqvae.media.images import READABLE


def encode_files(
    task: CompressFiles, inputs: Sequence[Path], output: Path | None, workers: int, json_file: str | None = None
) -> bool:
    """Compresses image files.

    Args:
        task: the task for each file.
        inputs: files and folders.
        output: a folder, or a file name for a single input; None to write beside the inputs.
        workers: number of images to read ahead and to write in the background.
        json_file: where to write a report, if anywhere.

    Returns:
        whether none failed.
    """
    what = plan(inputs, output, READABLE, ".vqz", without_suffix=True)
    return run_files(what, task, workers, describe_compressed, "encode", json_file)


def decode_files(
    task: DecompressFiles,
    inputs: Sequence[Path],
    output: Path | None,
    suffix: str,
    workers: int,
    json_file: str | None = None,
) -> bool:
    """Decompresses .vqz files to images of the type of a suffix; otherwise as `encode_files`."""
    what = plan(inputs, output, COMPRESSED, suffix)
    return run_files(what, task, workers, describe_decompressed, "decode", json_file)


def run_files(
    what: Plan,
    task: FileTask,
    workers: int,
    describe: Callable[[Any], str],
    command: str,
    json_file: str | None,
    failed: Sequence[ItemError] = (),
) -> bool:
    """Does a task for files, and reports.

    Args:
        what: the files.
        task: what to do with each.
        workers: as `run` has it.
        describe: what to say of a result.
        command: that was asked for.
        json_file: where to write a report, if anywhere.
        failed: what went wrong before.

    Returns:
        whether none failed.
    """
    say_skipped(what.skipped)
    results: list[Any] = []

    def note(result: Any) -> str:
        results.append(result)
        return describe(result)

    tally = run(what.jobs, task, workers, note)
    if len(what.jobs) > 1:
        say(tally.summary("written"))
    tally.errors[:0] = failed
    skipped = {str(folder): dict(suffixes) for folder, suffixes in what.skipped.items()}
    publish(command, {**figures_of(tally), "skipped": skipped, "per_file": rows_of(results)}, json_file, tally.errors)
    return not tally.failed


def figures_of(tally: Tally) -> dict[str, int]:
    """How many were written, kept and failed, as reports have it."""
    return {"written": tally.done, "kept": tally.kept, "failed": tally.failed}


def rows_of(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Results of files, as reports have them: of one that was kept, no more than its names."""
    rows = []
    for result in results:
        fields = {name: str(value) if isinstance(value, Path) else value for name, value in result._asdict().items()}
        kept = fields.setdefault("kept", False)
        rows.append({name: fields[name] for name in ("source", "target", "kept")} if kept else fields)
    return rows


def describe_compressed(result: FileResult) -> str:
    """The line about an image that was compressed or kept."""
    if result.kept:
        return describe_kept(result)
    bpp = 8 * result.bytes / (result.width * result.height)
    lost = f", without its {' and '.join(result.lost)}, which cannot be read" if result.lost else ""
    return f"{result.source} → {result.target}: {result.bytes} bytes, {bpp:.3f} bpp{lost}"


def describe_decompressed(result: FileResult) -> str:
    """The line about an image that was decompressed or kept."""
    if result.kept:
        return describe_kept(result)
    stages = ", {} of {} stages".format(*result.stages) if result.stages else ""
    lost = f", without its {' and '.join(result.lost)}, which this format cannot hold" if result.lost else ""
    return f"{result.source} → {result.target}: {result.width}×{result.height}{stages}{lost}"


def describe_kept(result: FileResult) -> str:
    """The line about an existing output."""
    return f"{result.target}: exists, kept, {result.source} was not read (--force replaces it)"
