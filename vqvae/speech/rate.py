"""The step sizes that make a rate: one for a file, or one for each frame."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from vqvae.errors import UsageError

FINEST, COARSEST = -2048, 8191  # squared step size of a file, in 1/256 octave
UNIT = 64  # of a frame's step size, in 1/256 octave
RESERVOIR_FRAMES = 2  # what frames leave unused is kept for later ones, up to so many frames
LEVELS = 48  # fillings of the reservoir that the plan tells apart
LOUDNESS = 1 / 8  # the plan minimises the sum of 2 to this times the step size, in UNITs


def average_step(bits: Callable[[int], float], budget: float) -> int:
    """The finest step size with which a file keeps within a budget of bits; the coarsest if none does.

    Args:
        bits: what the file takes, by its step size.
        budget: what it may take.
    """
    finest, coarsest = FINEST, COARSEST
    while coarsest > finest:
        middle = (finest + coarsest) // 2
        if bits(middle) <= budget:
            coarsest = middle
        else:
            finest = middle + 1
    return coarsest


class Plan(NamedTuple):
    """What is still to be lost, at best, from each frame on, for each filling of the reservoir.

    Attributes:
        offsets: the step sizes that were considered, ascending.
        bits: of each frame with each step size, about.
        losses: for each filling, in even steps from empty to full.
    """

    offsets: Int64[np.ndarray, " D"]
    bits: Float[np.ndarray, "F D"]
    losses: Float[np.ndarray, "ends L"]


def make_plan(bits: Float[np.ndarray, "F D"], offsets: Int64[np.ndarray, " D"], budget: float) -> Plan:
    """Looks ahead: the best step sizes under the reservoir's limits, by dynamic programming from the end.

    Ortega, Ramchandran and Vetterli, "Optimal Trellis-Based Buffered Compression and Fast Approximations", IEEE Trans.
    Image Processing 1994.

    Args:
        bits: of each frame with each step size, about.
        offsets: the step sizes, ascending.
        budget: bits of a frame.
    """
    fillings = np.linspace(0, RESERVOIR_FRAMES * budget, LEVELS)
    losses = np.zeros((len(bits) + 1, LEVELS))
    for frame in range(len(bits) - 1, -1, -1):
        left = fillings[:, None] + budget - bits[frame]
        losses[frame] = _losses(left, offsets, losses[frame + 1], budget).min(1)
    return Plan(offsets, bits, losses)


def _losses(
    left: Float[np.ndarray, "*n D"], offsets: Int64[np.ndarray, " D"], later: Float[np.ndarray, " L"], budget: float
) -> Float[np.ndarray, "*n D"]:
    """The loss from a frame on, by what its step size leaves in the reservoir; below zero, large but finite."""
    position = np.clip(left / (RESERVOIR_FRAMES * budget), 0, 1) * (LEVELS - 1)
    below = np.minimum(position.astype(np.int64), LEVELS - 2)
    rest = later[below] + (position - below) * (later[below + 1] - later[below])
    return np.exp2(offsets * LOUDNESS) + rest + np.where(left < 0, 1e6 - 1e3 * left, 0)


class Reservoir:
    """Keeps each frame within its budget and what frames before it have left.

    Args:
        budget: bits of a frame.
    """

    def __init__(self, budget: float):
        self.budget = budget
        self.filling = 0.0

    @property
    def available(self) -> float:
        """Bits that the next frame may take."""
        return self.budget + self.filling

    def take(self, bits: float) -> None:
        """Counts a frame.

        Raises:
            UsageError: it takes more than there is.
        """
        if bits > self.available:
            raise UsageError(
                f"a frame needs {bits:.0f} bits, but has {self.available:.0f}: choose a higher constant rate"
            )
        self.filling = min(self.available - bits, RESERVOIR_FRAMES * self.budget)


def planned_step(plan: Plan, frame: int, reservoir: Reservoir, change_bits: Float[np.ndarray, " D"]) -> int:
    """The best step size of a frame, as far as the plan can tell.

    Args:
        plan: the plan.
        frame: which frame.
        reservoir: as the frames before have left it.
        change_bits: what each of the plan's step sizes takes to be written.
    """
    left = reservoir.available - plan.bits[frame] - change_bits
    return int(plan.offsets[_losses(left, plan.offsets, plan.losses[frame + 1], reservoir.budget).argmin()])
