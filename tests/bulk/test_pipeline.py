"""Reading and writing beside the computing, with events instead of files."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, current_thread, main_thread
from typing import Any, ClassVar
from weakref import WeakSet

import pytest

from vqvae.bulk.pipeline import BatchRequest, Pipeline, Task

ITEMS = range(10)
LAST = ITEMS[-1]
TIMEOUT_S = 10  # for what happens at once


@dataclass
class Steps(Task[Any, Any, Any]):
    """A task made of functions of an item."""

    reading: Callable[[Any], Any] = lambda item: item
    computing: Callable[[list[Any]], list[Any]] = lambda values: values
    writing: Callable[[Any], Any] = lambda value: value
    key: Callable[[Any], Any] = lambda item: None
    limit: int = 1
    skipping: Callable[[Any], Any] = lambda item: None

    def skip(self, item: Any) -> Any:
        return self.skipping(item)

    def read(self, item: Any) -> Any:
        return self.reading(item)

    def request(self, item: Any, loaded: Any) -> BatchRequest:
        return BatchRequest(self.computing, loaded, self.key(item), self.limit, self.writing)


def results(task: Task, items: Any, workers: int) -> list[Any]:
    """The results in order, and the errors."""
    return [outcome.error or outcome.result for outcome in Pipeline(task, workers).run(items)]


def events(*steps: str) -> dict[tuple[str, int], Event]:
    return {(step, item): Event() for step in steps for item in ITEMS}


def test_the_next_item_is_read_and_the_last_one_written_while_one_is_computed():
    begun = events("read", "compute")

    def wait_for_next(step: str, item: int) -> int:
        assert item == LAST or begun[step, item + 1].wait(TIMEOUT_S)
        return item

    def read(item: int) -> int:
        begun["read", item].set()
        return item

    def compute(items: list[int]) -> list[int]:
        begun["compute", items[0]].set()
        return [wait_for_next("read", item) for item in items]

    task = Steps(read, compute, lambda item: wait_for_next("compute", item))
    assert results(task, ITEMS, 1) == list(ITEMS)


def test_items_are_computed_in_the_main_thread_in_order_though_read_and_written_out_of_order():
    done = events("read", "write")
    computed = []

    def after_the_next(step: str, item: int) -> int:
        """An even item waits for the odd one after it."""
        assert item % 2 or done[step, item + 1].wait(TIMEOUT_S)
        done[step, item].set()
        return item

    def compute(items: list[int]) -> list[int]:
        assert current_thread() is main_thread()
        computed.extend(items)
        return items

    task = Steps(lambda item: after_the_next("read", item), compute, lambda item: after_the_next("write", item))
    assert results(task, ITEMS, 2) == list(ITEMS) == computed


class Picture:
    """What is read, as far as it is still in memory."""

    alive: ClassVar[WeakSet] = WeakSet()

    def __init__(self):
        self.alive.add(self)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_items_in_memory_are_few_however_many_there_are(workers):
    most = 0

    def read(item: int) -> Picture:
        nonlocal most
        picture = Picture()
        most = max(most, len(Picture.alive))
        return picture

    for _ in Pipeline(Steps(read, writing=lambda picture: None), workers).run(range(200)):
        pass
    assert workers < most <= 2 * workers + 2


class Unforeseen(Exception):
    """Of a kind that nobody thinks of."""


@pytest.mark.parametrize("error", [OSError, ValueError, MemoryError, RecursionError, Unforeseen])
def test_whatever_goes_wrong_with_an_item_in_any_step_is_its_own_outcome_and_the_others_are_done(error):
    def fail_at(step: int) -> Callable[[Any], Any]:
        def function(value: Any) -> Any:
            if value in (step, [step]):
                raise error(step)
            return value

        return function

    def skip(item: int) -> str | None:
        fail_at(3)(item)
        return "nothing to do" if item == 4 else None

    task = Steps(fail_at(0), fail_at(1), fail_at(2), skipping=skip)
    *failed, skipped, done = results(task, range(6), 2)
    assert [(type(each), each.args) for each in failed] == [(error, (step,)) for step in range(4)]
    assert (skipped, done) == ("nothing to do", 5)


@pytest.mark.parametrize("workers", [0, 2])
def test_neighbours_with_the_same_key_are_computed_together_up_to_a_limit_and_end_in_order(workers):
    calls = []

    def double(values: list[int]) -> list[int]:
        calls.append(values)
        return [2 * value for value in values]

    task = Steps(computing=double, key=lambda item: item < 8, limit=3, skipping=lambda item: 99 if item == 4 else None)
    assert results(task, ITEMS, workers) == [0, 2, 4, 6, 99, 10, 12, 14, 16, 18]
    assert calls == [[0, 1, 2], [3], [5, 6, 7], [8, 9]]


def test_batches_do_not_depend_on_how_long_an_item_takes_to_be_read():
    def batches(slow: int) -> list[list[int]]:
        calls = []

        def read(item: int) -> int:
            time.sleep(0.3 * (item == slow))
            return item

        results(Steps(read, lambda values: calls.append(values) or values, limit=4), ITEMS, 2)
        return calls

    assert batches(1) == batches(6) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_where_computing_together_fails_each_is_computed_alone():
    def invert(values: list[int]) -> list[float]:
        return [12 / value for value in values]

    error, *others = results(Steps(computing=invert, limit=100), range(4), 2)
    assert isinstance(error, ZeroDivisionError) and others == [12, 6, 4]


def test_a_task_can_be_called_for_one_item_without_threads():
    def thread(value: Any) -> Any:
        assert current_thread() is main_thread()
        return value

    assert Steps(thread, thread, thread)(7) == 7
    assert Steps(skipping=lambda item: "there")(7) == "there"
    with pytest.raises(ZeroDivisionError):
        Steps(writing=lambda value: 1 / value)(0)


INTERRUPTED = """
import signal, sys, time
from pathlib import Path
from threading import main_thread
from vqvae.bulk.pipeline import BatchRequest, Task
from vqvae.cli.progress import run
from vqvae.media.atomic import atomic_path

def write(value):
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_text("ha")
        time.sleep(0.3)  # until the main thread waits
        signal.pthread_kill(main_thread().ident, signal.SIGINT)
        time.sleep(0.3)
        temporary.write_text("whole")

class Work(Task):
    def read(self, item):
        time.sleep(1000 * item)
    def request(self, item, loaded):
        return BatchRequest(lambda values: values, loaded, None, 1, write)

signal.signal(signal.SIGINT, signal.default_int_handler)
run(range(int(sys.argv[2])), Work(), 2, str)
"""


@pytest.mark.parametrize("items", [1, 2])
def test_an_interrupted_program_ends_what_it_writes_and_leaves_what_it_reads(tmp_path, items):
    """With one item it waits for the writing, with two for the second to be read, which takes for ever."""
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "file"), str(items)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stderr.endswith("KeyboardInterrupt\n")
    assert (tmp_path / "file").read_text() == "whole" and list(tmp_path.iterdir()) == [tmp_path / "file"]
