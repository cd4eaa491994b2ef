"""`encode` and `decode` of files, without an archive, and their messages."""

from collections.abc import Callable, Sequence
from pathlib import Path

from vqvae.bulk.plan import COMPRESSED, Plan, plan
from vqvae.bulk.tasks import CompressFiles, DecompressFiles, FileResult, FileTask
from vqvae.cli.progress import run, say, say_skipped
from vqvae.media.images import READABLE


def encode_files(task: CompressFiles, inputs: Sequence[Path], output: Path | None, workers: int) -> bool:
    """Compresses image files.

    Args:
        task: the task for each file.
        inputs: files and folders.
        output: a folder, or a file name for a single input; None to write beside the inputs.
        workers: number of images to read ahead and to write in the background.

    Returns:
        whether none failed.
    """
    return _run(plan(inputs, output, READABLE, ".vqz", without_suffix=True), task, workers, describe_compressed)


def decode_files(task: DecompressFiles, inputs: Sequence[Path], output: Path | None, suffix: str, workers: int) -> bool:
    """Decompresses .vqz files to images of the type of a suffix; otherwise as `encode_files`."""
    return _run(plan(inputs, output, COMPRESSED, suffix), task, workers, describe_decompressed)


def _run(what: Plan, task: FileTask, workers: int, describe: Callable[[FileResult], str]) -> bool:
    say_skipped(what.skipped)
    tally = run(what.jobs, task, workers, describe)
    if len(what.jobs) > 1:
        say(tally.summary("written"))
    return not tally.failed


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
