"""Work side by side."""

from threading import get_ident

import pytest
import torch

from vqvae.backend.dispatch import Plain, prefers_plain
from vqvae.backend.threads import in_threads


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)


def test_each_call_is_made_once():
    made: list[int] = []
    in_threads(made.append, [(number,) for number in range(100)])
    assert sorted(made) == list(range(100))


def test_threads_may_wait_for_threads():
    made: list[tuple[int, int, int]] = []

    def outer(first: int) -> None:
        in_threads(middle, [(first, second) for second in range(6)])

    def middle(first: int, second: int) -> None:
        in_threads(lambda third: made.append((first, second, third)), [(third,) for third in range(6)])

    in_threads(outer, [(first,) for first in range(6)])
    assert sorted(made) == [(a, b, c) for a in range(6) for b in range(6) for c in range(6)]


def test_what_is_chosen_for_a_call_holds_in_its_threads():
    seen: list[tuple[int, bool]] = []
    with Plain().coding(1):
        in_threads(lambda _: seen.append((get_ident(), prefers_plain())), [(number,) for number in range(200)])
    assert all(plain for _, plain in seen)


def test_an_error_of_any_thread_is_raised():
    def fail(number: int) -> None:
        if number == 7:
            raise ValueError(number)

    with pytest.raises(ValueError, match="7"):
        in_threads(fail, [(number,) for number in range(8)])
