"""A pipelined executor: items are read and written in background threads while others are computed in batches."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, NamedTuple, TypeVar

from vqvae.errors import errors_of

T = TypeVar("T")
Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Result = TypeVar("Result")


class BatchRequest(NamedTuple):
    """What is to be computed for an item, together with the items next to it that have the same key.

    Attributes:
        compute: gives a result for each of several values. Where it fails, it is called with each of them alone.
        value: the item's own.
        key: what the items of a batch have in common.
        limit: most items in a batch.
        write: stores what was computed for the item, and gives the item's result; called in a background thread.
    """

    compute: Callable[[list[Any]], Iterable[Any]]
    value: Any
    key: Hashable
    limit: int
    write: Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """How the work on an item ended: with a result, or with an exception of any kind."""

    item: Item
    result: Result | None
    error: Exception | None


class Task(ABC, Generic[Item, Loaded, Result]):
    """What is done with each item: read it, then compute and write what `request` says."""

    def skip(self, item: Item) -> Result | None:
        """A result if there is nothing to do; called in the caller's thread, before anything is read."""
        return None

    @abstractmethod
    def read(self, item: Item) -> Loaded:
        """What the computation needs; called in a background thread."""

    @abstractmethod
    def request(self, item: Item, loaded: Loaded) -> BatchRequest:
        """What to compute and to write; called in the caller's thread."""

    def __call__(self, item: Item) -> Result:
        """The work on one item, without threads; raises what goes wrong."""
        done = self.skip(item)
        if done is not None:
            return done
        request = self.request(item, self.read(item))
        with errors_of(item):
            (computed,) = request.compute([request.value])
        return request.write(computed)


class DaemonPool:
    """Threads that wait for calls. Unlike those of concurrent.futures, they do not keep an interrupted program alive.

    Args:
        threads: number of threads.
    """

    def __init__(self, threads: int):
        self._threads = threads
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._serve, daemon=True).start()

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Calls the function in one of the threads."""
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(call)
        return future

    def stop(self) -> None:
        """Ends each thread when it has finished its call."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _serve(self) -> None:
        while call := self._calls.get():
            call()
            del call  # and the image in it


@dataclass(frozen=True)
class _Running(Generic[Item, Result]):
    """An item that is being written, or that ended before it came to that."""

    item: Item
    result: Future[Result]

    def outcome(self) -> Outcome[Item, Result]:
        error = self.result.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        return Outcome(self.item, None, error) if error else Outcome(self.item, self.result.result(), None)


class Pipeline(Generic[Item, Loaded, Result]):
    """Works on items in their order.

    A batch depends on the order of the items and on their keys alone, never on how fast they are read.

    Args:
        task: what to do with each.
        workers: number of items that are read, and that are written, while others are computed.
    """

    def __init__(self, task: Task[Item, Loaded, Result], workers: int):
        self._task = task
        self._workers = workers
        self._reading: deque[tuple[Item, Future[Any], bool]] = deque()
        self._batch: list[tuple[Item, BatchRequest]] = []
        self._writing: deque[_Running[Item, Result]] = deque()

    def run(self, items: Iterable[Item]) -> Generator[Outcome[Item, Result], None, None]:
        """Yields how the work on each item ended, in their order.

        Closing the iterator waits for what is being written; what is being read is left.
        """
        waiting = iter(items)
        self._pool = DaemonPool(2 * self._workers + 2)
        try:
            while True:
                for item in islice(waiting, self._workers + 1 - len(self._reading)):
                    self._begin(item)
                if self._reading:
                    self._advance(*self._reading.popleft())
                else:
                    self._compute()
                    yield from self._finished(0)
                    return
                yield from self._finished(self._workers)
        finally:
            self._pool.stop()
            wait([running.result for running in self._writing])

    def _begin(self, item: Item) -> None:
        try:
            done = self._task.skip(item)
        except Exception as error:
            self._reading.append((item, _failed(error), False))
        else:
            loaded = self._pool.submit(self._task.read, item) if done is None else _done(done)
            self._reading.append((item, loaded, done is not None))

    def _advance(self, item: Item, loaded: Future[Any], done: bool) -> None:
        """Waits until an item is read, and computes the batch before it unless the item joins it."""
        try:
            request = self._task.request(item, loaded.result()) if not done else None
        except Exception as error:
            self._compute()
            self._writing.append(_Running(item, _failed(error)))
            return
        if self._batch and (request is None or request.key != self._batch[0][1].key):
            self._compute()
        if request is None:
            self._writing.append(_Running(item, loaded))
            return
        self._batch.append((item, request))
        if len(self._batch) >= request.limit:
            self._compute()

    def _compute(self) -> None:
        batch, self._batch = self._batch, []
        results = compute_batch([request for _, request in batch])
        for (item, request), computed in zip(batch, results, strict=True):
            try:
                with errors_of(item):
                    written = self._pool.submit(request.write, computed.result())
            except Exception as error:
                written = _failed(error)
            self._writing.append(_Running(item, written))

    def _finished(self, unfinished: int) -> Iterator[Outcome[Item, Result]]:
        """The first outcomes: those that are there, and as many more as leave `unfinished` behind."""
        while self._writing and (self._writing[0].result.done() or len(self._writing) > unfinished):
            yield self._writing[0].outcome()
            self._writing.popleft()


def compute_batch(requests: Sequence[BatchRequest]) -> list[Future[Any]]:
    """Computes what several items with one key ask for; for each alone, where that fails."""
    if not requests:
        return []
    try:
        results = list(requests[0].compute([request.value for request in requests]))
    except Exception as error:
        if len(requests) == 1:
            return [_failed(error)]
        return [future for request in requests for future in compute_batch([request])]
    return [_done(result) for _, result in zip(requests, results, strict=True)]


def _done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
