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
    """The computation for an item, in a batch with neighbouring items of the same key.

    Attributes:
        compute: returns a result for each of several values. If it fails, it is called with each value alone.
        value: that of the item.
        key: equal for all items of a batch.
        limit: the largest batch.
        write: stores the computed result, and returns the item's result; called in a background thread.
    """

    compute: Callable[[list[Any]], Iterable[Any]]
    value: Any
    key: Hashable
    limit: int
    write: Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """The outcome of an item: a result, or an exception of any kind."""

    item: Item
    result: Result | None
    error: Exception | None


class Task(ABC, Generic[Item, Loaded, Result]):
    """The work on each item: read it, then compute and write as `request` says."""

    def skip(self, item: Item) -> Result | None:
        """The result if there is nothing to do; called in the caller's thread, before anything is read."""
        return None

    @abstractmethod
    def read(self, item: Item) -> Loaded:
        """Loads the item; called in a background thread."""

    @abstractmethod
    def request(self, item: Item, loaded: Loaded) -> BatchRequest:
        """The computation for the loaded item; called in the caller's thread."""

    def __call__(self, item: Item) -> Result:
        """Processes one item without threads; raises its errors."""
        done = self.skip(item)
        if done is not None:
            return done
        request = self.request(item, self.read(item))
        with errors_of(item):
            (computed,) = request.compute([request.value])
        return request.write(computed)


class DaemonPool:
    """Worker threads. Unlike those of concurrent.futures, they do not keep an interrupted program alive.

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
    """An item that is being written, or whose outcome is known."""

    item: Item
    result: Future[Result]

    def outcome(self) -> Outcome[Item, Result]:
        error = self.result.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        return Outcome(self.item, None, error) if error else Outcome(self.item, self.result.result(), None)


class Pipeline(Generic[Item, Loaded, Result]):
    """Processes items in order.

    Batches depend on the order and the keys of the items alone, never on timing.

    Args:
        task: the work on each item.
        workers: number of items to read ahead and to write in the background.
    """

    def __init__(self, task: Task[Item, Loaded, Result], workers: int):
        self._task = task
        self._workers = workers
        self._reading: deque[tuple[Item, Future[Any], bool]] = deque()
        self._batch: list[tuple[Item, BatchRequest]] = []
        self._writing: deque[_Running[Item, Result]] = deque()

    def run(self, items: Iterable[Item]) -> Generator[Outcome[Item, Result], None, None]:
        """Yields the outcome of each item, in order.

        Closing the iterator waits for writes in progress, and abandons reads.
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
        """The next outcomes: those that are known, and more until only `unfinished` are pending."""
        while self._writing and (self._writing[0].result.done() or len(self._writing) > unfinished):
            yield self._writing[0].outcome()
            self._writing.popleft()


def compute_batch(requests: Sequence[BatchRequest]) -> list[Future[Any]]:
    """Computes the requests of a batch; one by one, if that fails."""
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
