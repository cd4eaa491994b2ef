"""Reading ahead of the computing and writing behind it, in threads."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

Steps = Generator[Callable[[], Any] | None, Any, str | None]
"""The work on one item: it yields what reads, or None, then what writes, and returns what to say of it, at once where
there is nothing to do. What it yields is called in a thread; what that returns or raises comes from the `yield`."""


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
        self.awaited: Future[Any] = Future()
        """What was begun last."""
        self.awaited.set_result(None)
        self.go_on()

    def go_on(self) -> None:
        """Waits for what was begun last, computes, and begins what comes next."""
        if self._outcome.done():
            return
        try:
            error = self.awaited.exception()
            step = self._steps.throw(error) if error else self._steps.send(self.awaited.result())
        except StopIteration as end:
            self._outcome.set_result(end.value)
        except Exception as error:
            self._outcome.set_exception(error)
        else:
            if step:
                self.awaited = self._threads.call(step)

    def finish(self) -> str | None:
        """Waits for the end; returns what there is to say, or raises what went wrong."""
        while not self._outcome.done():
            self.go_on()
        return self._outcome.result()


def attempts(items: Iterable[T], work: Callable[[T], Steps], workers: int) -> Generator[Attempt, None, None]:
    """Works on items in their order, and hands each out when it is written, or when too many are being written.

    Args:
        items: what to work on.
        work: the steps for an item.
        workers: how many items may be read, and how many may be written, while another is computed.
    """
    coming = iter(items)
    reading: deque[Attempt] = deque()
    writing: deque[Attempt] = deque()
    threads = Threads(2 * workers + 2)  # one for each item on its way
    try:
        while True:
            reading += (Attempt(work(item), threads) for item in islice(coming, workers + 1 - len(reading)))
            while writing and (writing[0].awaited.done() or len(writing) > workers or not reading):
                yield writing[0]
                writing.popleft()
            if not reading:
                return
            attempt = reading.popleft()
            attempt.go_on()
            writing.append(attempt)
    finally:
        threads.stop()
        wait([attempt.awaited for attempt in writing])  # what an interrupted program is writing becomes whole
