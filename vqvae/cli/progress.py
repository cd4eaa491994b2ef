"""One file after another, with a progress bar: what is kept, and what failed."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from vqvae.bulk.pipeline import Steps, attempts
from vqvae.bulk.plan import Job
from vqvae.errors import VqvaeError

T = TypeVar("T")
messages = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


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
