"""Reading ahead of the computing and writing behind it, in threads."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

Steps = Generator[Callable[[], Any] | None, Any, str | None]
"""The work on one item: it yields what reads, or None, then what writes, and returns what to say of it, at once where
there is nothing to do. What it yields is called in a thread; what that returns or raises comes from the `yield`."""


class Attempt:
    """The work on one item, on its way; reading begins at once."""

    def __init__(self, steps: Steps):
        self._steps = steps
        self._awaited: Future[Any] = Future()
        self._awaited.set_result(None)
        self._outcome: Future[str | None] = Future()
        self.go_on(daemon=True)  # an interrupted program waits for what it writes, but not for what it reads

    def go_on(self, daemon: bool = False) -> None:
        """Waits for what was begun last, computes, and begins what comes next in a thread."""
        if self._outcome.done():
            return
        try:
            error = self._awaited.exception()
            step = self._steps.throw(error) if error else self._steps.send(self._awaited.result())
        except StopIteration as end:
            self._outcome.set_result(end.value)
        except Exception as error:
            self._outcome.set_exception(error)
        else:
            if step:
                self._awaited = in_thread(step, daemon)

    @property
    def ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._outcome.done() or self._awaited.done()

    def finish(self) -> str | None:
        """Waits for the end; returns what there is to say, or raises what went wrong."""
        while not self._outcome.done():
            self.go_on()
        return self._outcome.result()


def attempts(items: Iterable[T], work: Callable[[T], Steps], workers: int) -> Iterator[Attempt]:
    """Works on items in their order, and hands each out when it is written, or when too many are being written.

    Args:
        items: what to work on.
        work: the steps for an item.
        workers: how many items may be read, and how many may be written, while another is computed.
    """
    coming = iter(items)
    reading: deque[Attempt] = deque()
    writing: deque[Attempt] = deque()
    while True:
        reading += (Attempt(work(item)) for item in islice(coming, workers + 1 - len(reading)))
        while writing and (writing[0].ready or len(writing) > workers or not reading):
            yield writing.popleft()
        if not reading:
            return
        attempt = reading.popleft()
        attempt.go_on()
        writing.append(attempt)


def in_thread(step: Callable[[], T], daemon: bool) -> Future[T]:
    """Calls it in a thread of its own; where that is no daemon, Python does not exit before it has ended."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(step())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=call, daemon=daemon).start()
    return future
