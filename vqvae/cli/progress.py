"""Runs tasks over items with a progress bar, and reports results and failures."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

from rich.console import Console
from rich.progress import track

from vqvae.backend.memory import return_free_memory
from vqvae.bulk.pipeline import Outcome, Pipeline, Task
from vqvae.bulk.plan import describe_skipped
from vqvae.errors import one_line

Item = TypeVar("Item")
Result = TypeVar("Result")

_console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
TRIM_EVERY = 16  # items
CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), 127)}


class ItemError(NamedTuple):
    """An item that failed, and the error message."""

    item: str
    error: str


class Tally(NamedTuple):
    """Numbers of items that were done and kept, and the errors of those that failed."""

    done: int
    kept: int
    errors: list[ItemError]

    @property
    def failed(self) -> int:
        """How many were not done."""
        return len(self.errors)

    def summary(self, verb: str) -> str:
        """One line about all items, in which `verb` says what was done."""
        line = f"{self.done} {verb}, {self.kept} kept, {self.failed} failed"
        nothing_done = self.kept and not self.done and not self.failed
        return line + ": nothing was done, as every output exists" * bool(nothing_done)


def say(message: str) -> None:
    """Prints a line on standard error; control characters in file names are escaped."""
    _console.print(message.translate(CONTROL))


def track_search(steps: Iterable[int]) -> Iterable[int]:
    """Shows how far the search for the indices of an image is."""
    return track(steps, "search", transient=True, console=_console)


def say_skipped(skipped: dict[Any, Any]) -> None:
    """Reports which files of folders are skipped because of their type."""
    for folder, suffixes in skipped.items():
        say(f"{folder}: skipped {describe_skipped(suffixes)}")


def run(items: Sequence[Item], task: Task[Item, Any, Result], workers: int, describe: Callable[[Result], str]) -> Tally:
    """Runs a task for all items, reports each result, and continues after failures.

    Args:
        items: the items.
        task: the task; a result with a true `kept` is counted as kept.
        workers: number of items to read ahead and to write in the background.
        describe: the line to print about a result; an empty one is not printed.
    """
    with closing(Pipeline(task, workers).run(items)) as outcomes:
        return _report(outcomes, len(items), describe)


def run_each(items: Sequence[Item], work: Callable[[Item], Any]) -> list[ItemError]:
    """Calls `work` for each item, one after the other, and returns what went wrong."""

    def outcomes() -> Iterable[Outcome[Item, Any]]:
        for item in items:
            try:
                yield Outcome(item, work(item), None)
            except Exception as error:
                yield Outcome(item, None, error)

    return _report(outcomes(), len(items), lambda result: "").errors


def _report(outcomes: Iterable[Outcome[Item, Any]], number: int, describe: Callable[[Any], str]) -> Tally:
    done = kept = 0
    errors: list[ItemError] = []
    hidden = number < 2 or not sys.stderr.isatty()
    shown = track(outcomes, "", number, console=_console, transient=True, disable=hidden)
    for place, outcome in enumerate(shown, 1):
        if place % TRIM_EVERY == 0:
            return_free_memory()
        try:
            if outcome.error:
                raise outcome.error
            message = describe(outcome.result)
            if message:
                say(message)
        except Exception as error:
            errors.append(ItemError(str(outcome.item), one_line(error, outcome.item)))
            say(f"error: {errors[-1].error}")
        else:
            was_kept = bool(getattr(outcome.result, "kept", False))
            kept, done = kept + was_kept, done + (not was_kept)
    return Tally(done, kept, errors)
