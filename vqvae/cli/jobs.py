"""One file after another: which go where, what is kept, what failed."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.progress import track

from vqvae.cli.ahead import Steps, attempts
from vqvae.errors import UsageError, VqvaeError
from vqvae.images import READABLE

T = TypeVar("T")
messages = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


class Job(NamedTuple):
    """One file to read and the one to write."""

    source: Path
    target: Path

    def __str__(self) -> str:
        return str(self.source)


def find_files(path: Path, suffixes: Iterable[str]) -> list[Path]:
    """The file itself, whatever its suffix, or a folder's files with one of these suffixes, at any depth.

    Raises:
        VqvaeError: a folder without such files.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not found:
        raise VqvaeError(f"{path}: no files of type {', '.join(sorted(suffixes))} in this folder")
    return found


def locate(inputs: Sequence[Path], suffixes: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Each file that the inputs stand for, and its path inside the folder given.

    Raises:
        VqvaeError: a folder without files that have one of these suffixes.
    """
    for given in inputs:
        root = given if given.is_dir() else given.parent
        for source in find_files(given, suffixes):
            yield source, source.relative_to(root)


def plan(inputs: Sequence[Path], output: Path | None, suffixes: Iterable[str], target_suffix: str) -> list[Job]:
    """Where each input goes, once: beside itself, or into `output`, where folders keep their inner tree.

    Args:
        inputs: files and folders.
        output: a file name for a single input file, otherwise a folder.
        suffixes: what to look for in folders.
        target_suffix: of the files to write, unless `output` names the file.

    Raises:
        UsageError: `output` names a file, but the inputs are several.
        VqvaeError: a folder holds nothing to do.
    """
    if output is not None and output.suffix and not output.is_dir():
        if len(inputs) == 1 and not inputs[0].is_dir():
            return [Job(inputs[0], output)]
        if output.suffix.lower() in {*READABLE, ".vqz"}:
            raise UsageError(f"-o {output} names one file, but the inputs are several: name a folder")
    jobs = (
        Job(source, (output / inner if output else source).with_suffix(target_suffix))
        for source, inner in locate(inputs, suffixes)
    )
    return list(dict.fromkeys(jobs))


def run(jobs: Sequence[Job], work: Callable[[Job], Steps], force: bool, workers: int) -> bool:
    """Does all jobs, says of each what became of it, and goes on after failures.

    Args:
        jobs: what to do.
        work: the steps of one job, which return what to say of it.
        force: whether to replace targets that exist.
        workers: as `attempts` has them.

    Returns:
        whether none failed.
    """
    kept = 0
    claimed: dict[Path, Path] = {}

    def once(job: Job) -> Steps:
        nonlocal kept
        owner = claimed.setdefault(job.target, job.source)
        if owner != job.source:
            raise VqvaeError(f"{job.source}: {job.target} is the output of {owner} already: rename one of the two")
        if job.target.exists() and job.source.exists() and job.target.samefile(job.source):
            raise VqvaeError(f"{job.source}: would be replaced by its own output: name another with -o")
        if job.target.exists() and not force:
            kept += 1
            return f"{job.target}: exists, kept (--force replaces it)"
        return (yield from work(job))

    failed = attempt_ahead(jobs, once, workers)
    if len(jobs) > 1:
        messages.print(f"{len(jobs) - kept - failed} written, {kept} kept, {failed} failed")
    return not failed


def attempt_ahead(items: Sequence[T], work: Callable[[T], Steps], workers: int) -> int:
    """As `attempt_each`, with items read and written while others are computed."""
    with closing(attempts(items, work, workers)) as order:
        return attempt_each(items, lambda _: next(order).finish())


def attempt_each(items: Sequence[T], work: Callable[[T], str | None]) -> int:
    """Calls `work` on each item with a progress bar, prints what it says or its error, and returns how many failed."""
    failed = 0
    for item in track(items, "", console=messages, transient=True, disable=len(items) < 2 or not sys.stderr.isatty()):
        try:
            said = work(item)
            if said:
                messages.print(said)
        except VqvaeError as error:
            messages.print(f"error: {error}")
            failed += 1
        except OSError as error:
            messages.print(f"error: {error.filename or item}: {error.strerror or error}")
            failed += 1
    return failed
