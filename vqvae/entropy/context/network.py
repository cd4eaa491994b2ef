"""The network of the context model, in integer arithmetic.

Every index has an embedding, and so have "outside the image" and "not known yet". The first layer adds up those of the
neighbours, in one way for all stages, and those of the earlier stages at this place; two more layers, each stage's own,
give a logit for each index:

    first  = clip((Σ near[o] · e[j, index of stage j at neighbour o] + Σ own[m] · e[j, index here] + bias) >> 9)
    second = clip((second[m] · first + bias) >> 7)
    logits = (third[m] · second + bias) >> 4          in 32nds of a bit
    weights = powers[min(largest logit - logit, 511)]  which are 2^16 · 2^(-d / 32), rounded

with clip to 0 ... 255, and >> rounding down. Whoever decodes must find the same numbers, whatever the machine, its
threads or its libraries, so there is nothing here that could be rounded in two ways: all of it is integers. The largest
sums are below 2^31 in the first layer and below 2^24 in the others (`check_tables` holds a model file to that), so
that int32 and float32, or float64 for all, hold them exactly in any order of summation. The powers are kept with the
weights, since libraries may round them differently.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from vqvae.entropy.range_coder import PRECISION, to_frequencies

NEIGHBOURS = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, -1), (-2, 1), (-1, -2))
"""Rows down and columns to the right of a place: those that the network looks at."""

REACH = 2  # how far away they are, at most

FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = 9, 7, 4
LARGEST_ACTIVATION = 255
POWERS = 512
LIMITS = {"embedding": 1023, "first_bias": 1 << 24, "second_bias": 1 << 15, "third_bias": 1 << 15, "powers": 1 << 16}


class Network(ABC):
    """Computes frequencies from tables.

    Args:
        tables: by name, as `empty_tables` has them.
    """

    @abstractmethod
    def __init__(self, tables: Mapping[str, np.ndarray]): ...

    @abstractmethod
    def near(self, grid: Int32[np.ndarray, "n H W M"], places: Int64[np.ndarray, " p"]) -> np.ndarray:
        """The neighbours' part of the first layer at these places of the grid, counted row by row: (n, p, F)."""

    @abstractmethod
    def frequencies(
        self, near: np.ndarray, here: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        """How likely each index of a stage is: frequencies less 1.

        Args:
            near: what `near` returned.
            here: the indices at these places; of the stages before `stage`, at least.
            stage: the stage, from 0.
        """

    def intervals(
        self, near: np.ndarray, here: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        """For each index of some stages: what the frequencies below it add up to, and its own."""
        found = np.empty((2, *near.shape[:2], len(stages)), np.int32)
        for place, stage in enumerate(stages):
            sums = (self.frequencies(near, here, stage).astype(np.int32) + 1).cumsum(-1)
            ends = np.pad(sums, ((0, 0), (0, 0), (1, 0)))
            lower, upper = (np.take_along_axis(ends, here[..., stage, None] + side, -1)[..., 0] for side in (0, 1))
            found[0, ..., place], found[1, ..., place] = lower, upper - lower
        return found

    def choose(
        self,
        near: np.ndarray,
        here: Int32[np.ndarray, "n p M"],
        parts: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        weight: float,
    ) -> None:
        """Fills in the indices at these places: of each stage the one of least squared distance + weight · bits.

        Args:
            near: what `near` returned.
            here: where the indices go.
            parts: the vectors at these places, in M parts.
            codebooks: the codewords for each part.
            weight: squared distance that a bit is worth.
        """
        for stage, codebook in enumerate(codebooks):
            bits = PRECISION - np.log2(self.frequencies(near, here, stage) + 1)
            distances = (codebook**2).sum(1) - 2 * parts[..., stage, :] @ codebook.T
            here[..., stage] = (distances + weight * bits).argmin(-1)


def empty_tables(stages: int, size: int, dim: int, first: int, second: int) -> dict[str, Tensor]:
    """Tables of zeros, by which all indices are equally likely.

    Raises:
        ValueError: a size that is not positive, or so large that sums would not be exact.
    """
    limits = {"stages": (stages, 24), "dim": (dim, 64), "hidden[0]": (first, 512), "hidden[1]": (second, 512)}
    for name, (value, largest) in limits.items():
        if not 1 <= value <= largest:
            raise ValueError(f"{name} is {value}, but must be from 1 to {largest} for a context model")
    powers = np.rint(2 ** (16 - np.arange(POWERS) / 32)).astype(
        np.int32
    )  # not on the meta device, which is slow to start
    return {
        "embedding": torch.zeros(stages, size + 2, dim, dtype=torch.int16),
        "near": torch.zeros(len(NEIGHBOURS), dim, first, dtype=torch.int8),
        "own": torch.zeros(stages, dim, first, dtype=torch.int8),
        "first_bias": torch.zeros(stages, first, dtype=torch.int32),
        "second": torch.zeros(stages, first, second, dtype=torch.int8),
        "second_bias": torch.zeros(stages, second, dtype=torch.int32),
        "third": torch.zeros(stages, second, size, dtype=torch.int8),
        "third_bias": torch.zeros(stages, size, dtype=torch.int32),
        "powers": torch.from_numpy(powers),
    }


def check_tables(tables: Mapping[str, Tensor]) -> None:
    """Raises ValueError where a table holds what would not be exact, or is not of integers."""
    stages, size, dim = tables["embedding"].shape
    expected = empty_tables(stages, size - 2, dim, *tables["second"].shape[1:])
    for name, table in tables.items():
        sound = (table.long() >= -LIMITS.get(name, 128)).all() and (table.long() <= LIMITS.get(name, 127)).all()
        if table.dtype != expected[name].dtype or not sound:
            raise ValueError(f"the context model's {name} holds what none can hold")
    powers = tables["powers"]
    if powers[0] != LIMITS["powers"] or (powers.diff() > 0).any() or powers[-1] < 0:
        raise ValueError("the context model's powers are none")


class PlainNetwork(Network):
    """The network in NumPy, as it is written above; all integers are held by float64."""

    def __init__(self, tables: Mapping[str, np.ndarray]):
        self.tables = {name: table.astype(np.float64) for name, table in tables.items()}
        self.powers = tables["powers"].astype(np.int64)

    def near(self, grid: Int32[np.ndarray, "n H W M"], places: Int64[np.ndarray, " p"]) -> Float[np.ndarray, "n p F"]:
        number, _, width, stages = grid.shape
        flat = grid.reshape(number, -1, stages)
        around = [self._embed(flat[:, places + down * width + right]) for down, right in NEIGHBOURS]
        return np.concatenate(around, -1) @ self.tables["near"].reshape(-1, self.tables["near"].shape[2])

    def frequencies(
        self, near: np.ndarray, here: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        tables = self.tables
        total = near + self._embed(here[..., :stage]) @ tables["own"][stage] + tables["first_bias"][stage]
        first = _activate(total, FIRST_SHIFT)
        second = _activate(first @ tables["second"][stage] + tables["second_bias"][stage], SECOND_SHIFT)
        logits = _shift(second @ tables["third"][stage] + tables["third_bias"][stage], THIRD_SHIFT).astype(np.int64)
        below = logits.max(-1, keepdims=True) - logits
        return to_frequencies(self.powers[np.minimum(below, POWERS - 1)])

    def _embed(self, indices: Int32[np.ndarray, "n p m"]) -> Float[np.ndarray, "n p E"]:
        embedding = self.tables["embedding"]
        parts = (embedding[stage][indices[..., stage]] for stage in range(indices.shape[2]))
        return sum(parts, start=np.zeros((*indices.shape[:2], embedding.shape[2])))


def _shift(values: Float[np.ndarray, "n p f"], digits: int) -> Float[np.ndarray, "n p f"]:
    return np.floor(values / (1 << digits))  # exact: a power of two


def _activate(values: Float[np.ndarray, "n p f"], digits: int) -> Float[np.ndarray, "n p f"]:
    return _shift(values, digits).clip(0, LARGEST_ACTIVATION)
