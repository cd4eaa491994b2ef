from itertools import product

import numpy as np
import pytest

from vqvae.errors import UsageError
from vqvae.speech.rate import (
    COARSEST,
    FINEST,
    LOUDNESS,
    RESERVOIR_FRAMES,
    Reservoir,
    average_step,
    make_plan,
    planned_step,
)


@pytest.mark.parametrize("step", [FINEST, -3, 0, 777, COARSEST])
def test_the_finest_step_within_the_budget_is_found(step):
    assert average_step(lambda one: 100.0 - (one - step), 100.0) == step


def test_the_coarsest_step_is_taken_where_none_fits():
    assert average_step(lambda one: 1e9, 1.0) == COARSEST


def test_the_plan_is_as_good_as_the_best_of_all_sequences():
    draws, budget, offsets = np.random.default_rng(0), 100.0, np.arange(-12, 13, 6)
    bits = draws.uniform(20, 200, (5, 1)) * np.exp2(-offsets / 12)
    plan, reservoir, loss = make_plan(bits, offsets, budget), Reservoir(budget), 0.0
    for frame in range(5):
        step = planned_step(plan, frame, reservoir, np.zeros(len(offsets)))
        reservoir.take(float(bits[frame, list(offsets).index(step)]))
        loss += 2 ** (LOUDNESS * step)
    best = min(filter(None, (loss_of(choice, bits, offsets, budget) for choice in product(range(5), repeat=5))))
    assert best - 1e-9 <= loss <= 1.05 * best


def loss_of(choice: tuple[int, ...], bits: np.ndarray, offsets: np.ndarray, budget: float) -> float | None:
    """The loss of a sequence of step sizes, or None where it does not keep within budget and reservoir."""
    filling = 0.0
    for frame, number in enumerate(choice):
        filling += budget - bits[frame, number]
        if filling < 0:
            return None
        filling = min(filling, RESERVOIR_FRAMES * budget)
    return sum(2 ** (LOUDNESS * offsets[number]) for number in choice)


def test_the_reservoir_is_never_overdrawn_and_holds_no_more_than_it_can():
    reservoir = Reservoir(100.0)
    for _ in range(9):
        reservoir.take(10.0)
    assert reservoir.available == 100 * (RESERVOIR_FRAMES + 1)
    with pytest.raises(UsageError, match="needs 301 bits, but has 300"):
        reservoir.take(301.0)
