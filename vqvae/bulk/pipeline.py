"""Reading ahead of the computing and writing behind it, in threads, and computing for several items at once."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 0.1
"""Seconds that items ready to be computed wait for the next to be read."""


@dataclass(frozen=True, eq=False)
class Together:
    """A step that is computed at once for several items: for those next to each other that have the same key.

    Attributes:
        compute: gives a result for each of some values. Where it fails, it is called with each of them alone.
        value: the item's own.
        key: what the items have in common.
        most: how many of them there may be.
        result: what came of it.
    """

    compute: Callable[[list[Any]], Iterable[Any]]
    value: Any
    key: object
    most: int
    result: Future[Any] = field(default_factory=Future)


Steps = Generator[Callable[[], Any] | Together | None, Any, str | None]
"""The work on one item: it yields what reads, or None, then, if it likes, what is computed together, then what writes,
and returns what to say of it, at once where there is nothing to do. What reads or writes is called in a thread; what a
step returns or raises comes from the `yield`."""


class Threads:
    """Threads that stand by, as to start one takes longer than to read a small image; Python does not wait for them."""

    def __init__(self, number: int):
        self._number = number
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for _ in range(number):
            Thread(target=self._serve, daemon=True).start()

    def call(self, step: Callable[[], T]) -> Future[T]:
        """Calls it in one of the threads."""
        future: Future[T] = Future()

        def answer() -> None:
            try:
                future.set_result(step())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(answer)
        return future

    def stop(self) -> None:
        """Ends each thread when it has done what it is doing."""
        for _ in range(self._number):
            self._calls.put(None)

    def _serve(self) -> None:
        while answer := self._calls.get():
            answer()
            del answer  # and the image in it


class Attempt:
    """The work on one item, on its way; reading begins at once."""

    def __init__(self, steps: Steps, threads: Threads):
        self._steps = steps
        self._threads = threads
        self._outcome: Future[str | None] = Future()
        self.asked: Together | None = None
        """What it waits for to be computed, if for that."""
        self.awaited: Future[Any] = Future()
        """What was begun last."""
        self.awaited.set_result(None)
        self.go_on()

    def go_on(self) -> None:
        """Waits for what was begun last, computes, and begins what comes next."""
        if self._outcome.done():
            return
        self.asked = None
        try:
            error = self.awaited.exception()
            step = self._steps.throw(error) if error else self._steps.send(self.awaited.result())
        except StopIteration as end:
            self._outcome.set_result(end.value)
        except Exception as error:
            self._outcome.set_exception(error)
        else:
            if isinstance(step, Together):
                self.asked, self.awaited = step, step.result
            elif step:
                self.awaited = self._threads.call(step)

    def joins(self, other: "Attempt") -> bool:
        """Whether both ask for the same to be computed."""
        return self.asked is not None and other.asked is not None and self.asked.key == other.asked.key

    def finish(self) -> str | None:
        """Waits for the end; returns what there is to say, or raises what went wrong."""
        while not self._outcome.done():
            self.go_on()
        return self._outcome.result()


def compute_together(asked: Sequence[Together]) -> None:
    """Computes what several items ask for; for each alone, where that fails."""
    if not asked:
        return
    try:
        results = asked[0].compute([one.value for one in asked])
    except Exception as error:
        if len(asked) == 1:
            asked[0].result.set_exception(error)
        else:
            for one in asked:
                compute_together([one])  # it may be the others' fault
    else:
        for one, result in zip(asked, results, strict=True):
            one.result.set_result(result)


def attempts(items: Iterable[T], work: Callable[[T], Steps], workers: int) -> Generator[Attempt, None, None]:
    """Works on items in their order, and hands each out when it is written, or when too many are being written.

    Args:
        items: what to work on.
        work: the steps for an item.
        workers: how many items may be read, and how many may be written, while others are computed.
    """
    coming = iter(items)
    reading: deque[Attempt] = deque()
    writing: deque[Attempt] = deque()
    batch: list[Attempt] = []  # that ask for the same
    threads = Threads(2 * workers + 2)  # one for each item on its way

    def compute() -> None:
        compute_together([attempt.asked for attempt in batch if attempt.asked])
        writing.extend(batch)
        while batch:
            batch.pop(0).go_on()

    try:
        while True:
            reading += (Attempt(work(item), threads) for item in islice(coming, workers + 1 - len(reading)))
            if not reading:
                compute()
            while writing and (writing[0].awaited.done() or len(writing) > workers or not reading):
                yield writing[0]
                writing.popleft()
            if not reading:
                return
            attempt = reading.popleft()
            if batch and wait([attempt.awaited], PATIENCE).not_done:
                compute()
            attempt.go_on()
            if batch and not attempt.joins(batch[0]):
                compute()
            if attempt.asked:
                batch.append(attempt)
                if len(batch) == attempt.asked.most:
                    compute()
            else:
                writing.append(attempt)
    finally:
        threads.stop()
        wait([attempt.awaited for attempt in writing])  # what an interrupted program is writing becomes whole
