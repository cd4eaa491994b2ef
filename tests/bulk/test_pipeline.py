"""Reading and writing beside the computing, with events instead of files."""

import subprocess
import sys
from threading import Event, current_thread, main_thread
from typing import ClassVar
from weakref import WeakSet

import pytest

from vqvae.bulk.pipeline import Steps, Together, attempts

ITEMS = range(10)
LAST = ITEMS[-1]
PATIENCE = 10  # seconds, for what happens at once


def events(*steps: str) -> dict[tuple[str, int], Event]:
    return {(step, item): Event() for step in steps for item in ITEMS}


def test_the_next_item_is_read_and_the_last_one_written_while_one_is_computed():
    begun = events("read", "compute")

    def wait_for_next(step: str, item: int) -> None:
        assert item == LAST or begun[step, item + 1].wait(PATIENCE)

    def work(item: int) -> Steps:
        yield begun["read", item].set
        begun["compute", item].set()
        wait_for_next("read", item)
        yield lambda: wait_for_next("compute", item)
        return str(item)

    said = [attempt.finish() for attempt in attempts(ITEMS, work, workers=1)]
    assert said == [str(item) for item in ITEMS]


def test_items_are_computed_in_the_main_thread_in_order_though_read_and_written_out_of_order():
    done = events("read", "write")
    computed = []

    def after_the_next(step: str, item: int) -> int:
        """An even item waits for the odd one after it."""
        assert item % 2 or done[step, item + 1].wait(PATIENCE)
        done[step, item].set()
        return item

    def work(item: int) -> Steps:
        computed.append((yield lambda: after_the_next("read", item)))
        assert current_thread() is main_thread()
        yield lambda: after_the_next("write", item)
        return str(item)

    said = [attempt.finish() for attempt in attempts(ITEMS, work, workers=2)]
    assert said == [str(item) for item in ITEMS] and computed == list(ITEMS)


class Picture:
    """What is read, as far as it is still in memory."""

    alive: ClassVar[WeakSet] = WeakSet()

    def __init__(self):
        self.alive.add(self)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_items_on_their_way_and_in_memory_are_few_however_many_there_are(workers):
    on_their_way = most = 0

    def work(item: int) -> Steps:
        nonlocal on_their_way, most
        on_their_way += 1
        most = max(most, on_their_way, len(Picture.alive))
        picture = yield Picture
        yield lambda: picture

    for attempt in attempts(range(200), work, workers):
        attempt.finish()
        on_their_way -= 1
    assert on_their_way == 0 and workers < most <= 2 * workers + 2


def test_what_goes_wrong_in_a_step_is_raised_in_its_turn_and_the_others_are_done():
    def step(item: int, number: int) -> int:
        if item == number:
            raise OSError(item)
        return item

    def work(item: int) -> Steps:
        if item == 4:
            return "nothing to do"
        yield lambda: step(item, 0)
        step(item, 1)
        yield lambda: step(item, 2)
        return "done"

    outcomes = []
    for attempt in attempts(range(6), work, workers=2):
        try:
            outcomes.append(attempt.finish())
        except OSError as error:
            outcomes.append(error.args)
    assert outcomes == [(0,), (1,), (2,), "done", "nothing to do", "done"]


@pytest.mark.parametrize("workers", [0, 2])
def test_neighbours_with_the_same_key_are_computed_together_up_to_the_most_and_end_in_order(workers):
    calls = []

    def double(values: list[int]) -> list[int]:
        calls.append(values)
        return [2 * value for value in values]

    def work(item: int) -> Steps:
        if item == 4:
            return "4: nothing to do"
        yield None  # what is slow to be read would be left behind
        doubled = yield Together(double, item, key=item < 8, most=3)
        yield lambda: None
        return f"{item}: {doubled}"

    said = [attempt.finish() for attempt in attempts(ITEMS, work, workers)]
    assert calls == [[0, 1, 2], [3], [5, 6, 7], [8, 9]]
    assert said == ["4: nothing to do" if item == 4 else f"{item}: {2 * item}" for item in ITEMS]


def test_where_computing_together_fails_each_is_computed_alone():
    def invert(values: list[int]) -> list[float]:
        return [12 / value for value in values]

    def work(item: int) -> Steps:
        yield None
        try:
            return str((yield Together(invert, item, key=None, most=100)))
        except ZeroDivisionError:
            return "infinite"

    assert [attempt.finish() for attempt in attempts(range(4), work, 2)] == ["infinite", "12.0", "6.0", "4.0"]


def test_nothing_waits_long_for_one_that_is_slow_to_be_read():
    computed = events("compute")

    def compute(values: list[int]) -> list[int]:
        for value in values:
            computed["compute", value].set()
        return values

    def work(item: int) -> Steps:
        yield lambda: item < 2 or computed["compute", 1].wait(PATIENCE)
        yield Together(compute, item, key=None, most=100)
        return "in time" if item < 2 or computed["compute", 1].is_set() else "never"

    assert [attempt.finish() for attempt in attempts(range(4), work, 2)] == ["in time"] * 4


INTERRUPTED = """
import signal, sys, time
from pathlib import Path
from threading import main_thread
from vqvae.cli.progress import attempt_ahead
from vqvae.media.atomic import atomic_path

def write():
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_text("ha")
        time.sleep(0.3)  # until the main thread waits
        signal.pthread_kill(main_thread().ident, signal.SIGINT)
        time.sleep(0.3)
        temporary.write_text("whole")

def work(item):
    yield lambda: time.sleep(1000 * item)
    yield write

signal.signal(signal.SIGINT, signal.default_int_handler)
attempt_ahead(range(int(sys.argv[2])), work, 2)
"""


@pytest.mark.parametrize("items", [1, 2])
def test_an_interrupted_program_ends_what_it_writes_and_leaves_what_it_reads(tmp_path, items):
    """With one item it waits for the writing, with two for the second to be read, which takes for ever."""
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "file"), str(items)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stderr.endswith("KeyboardInterrupt\n")
    assert (tmp_path / "file").read_text() == "whole" and list(tmp_path.iterdir()) == [tmp_path / "file"]
