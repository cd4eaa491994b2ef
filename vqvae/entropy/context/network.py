"""The network of the context model, in integer arithmetic.

Every index has an embedding, and so have "outside the image" and "not known yet". The first layer adds up those of the
neighbours, with the same weights for all stages, and those of the earlier stages at this position; two more layers,
with weights of their own for each stage, give a logit for each index:

    first  = clip((Σ near[o] · e[j, index of stage j at neighbour o] + Σ own[m] · e[j, index here] + bias) >> 9)
    second = clip((second[m] · first + bias) >> 7)
    logits = (third[m] · second + bias) >> 4          in 32nds of a bit
    weights = powers[min(largest logit - logit, 511)]  which are 2^16 · 2^(-d / 32), rounded

with clip to 0 ... 255, and >> rounding down. A decoder must find the same numbers, whatever the machine, its threads or
its libraries, so there is nothing here that could be rounded in two ways: all of it is integers. The largest
sums are below 2^31 in the first layer and below 2^24 in the others (`check_tables` holds a model file to that), so
that int32 and float32, or float64 for all, hold them exactly in any order of summation. The powers are kept with the
weights, since libraries may round them differently.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from vqvae.entropy.range_coder import MAX_PROBABILITY_RATIO

Offsets = Sequence[Sequence[int]]
Positions = Int64[np.ndarray, " _"]
Sums = Callable[[Positions], Int32[np.ndarray, "*_ F"]]
"""A part of the sums of the first layer, (n, p, F) or (F,), at positions of the grid with its border."""

NEIGHBOURS: Offsets = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, -1), (-2, 1), (-1, -2))
"""Where the neighbours are, unless a model says otherwise: (rows down, columns to the right) of a position."""

MAX_REACH = 16
MAX_SUM = 2**31  # of the first layer
FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = 9, 7, 4
LARGEST_ACTIVATION = 255
POWERS = 512
LIMITS = {"embedding": 1023, "first_bias": 1 << 24, "second_bias": 1 << 15, "third_bias": 1 << 15, "powers": 1 << 16}


class Network(ABC):
    """Computes frequencies from tables.

    Args:
        tables: by name, as `empty_tables` has them.
        neighbours: where the neighbours are.
    """

    @abstractmethod
    def __init__(self, tables: Mapping[str, np.ndarray], neighbours: Offsets): ...

    @abstractmethod
    def context_sums(self, grid: Int32[np.ndarray, "n H W M"], positions: Int64[np.ndarray, " p"]) -> np.ndarray:
        """The neighbours' part of the first layer at these positions of the grid, counted row by row: (n, p, F)."""

    @abstractmethod
    def decode(
        self,
        payloads: Sequence[bytes],
        grid: Int32[np.ndarray, "n H W M"],
        fronts: Iterable[Positions],
        stages: range,
        added: Sums | None,
    ) -> None:
        """Decodes the indices of some stages of images.

        Args:
            payloads: of each image.
            grid: with its border; the indices are filled in.
            fronts: the positions of each wavefront.
            stages: those decoded; the stages before are known, those after are not.
            added: to the first layer.

        Raises:
            BitstreamError: a payload is not one of such indices.
        """

    @abstractmethod
    def intervals(
        self, sums: np.ndarray, symbols: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        """For each index of some stages: the sum of the frequencies below it, and its own frequency."""

    @abstractmethod
    def rdo_quantize(
        self,
        sums: np.ndarray,
        symbols: Int32[np.ndarray, "n p M"],
        subvectors: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
        costs: Float32[np.ndarray, "M K"],
    ) -> None:
        """Fills in the indices at these positions: of each stage the one of least squared distance + λ · bits + costs.

        Bits are those of the logits, in 32nds, and at most `largest_deficit`. They differ from what the coder takes by
        its rounding, but are the same integers for every implementation; distances and costs are sums in single
        precision, term by term in the order of the elements, so that every implementation chooses the same indices.

        Args:
            sums: what `context_sums` returned.
            symbols: where the indices go.
            subvectors: the vectors at these positions, in M pieces.
            codebooks: the codewords for each piece.
            lmbda: squared distance that a bit is worth.
            costs: further costs of each index, as squared distances.
        """


def largest_deficit(powers: np.ndarray, size: int) -> int:
    """How far a logit counts as below the largest one, at most, in 32nds of a bit: no index becomes less likely."""
    floor = int(powers[0]) // (MAX_PROBABILITY_RATIO * (size - 1)) + 1
    return int(32 * np.log2(int(powers[0]) / floor))


def check_neighbours(neighbours: Offsets) -> int:
    """The reach of some offsets: how far away the neighbours are at most, in rows or columns.

    Raises:
        ValueError: they are no pairs, too far away, or not decoded before the position itself.
    """
    pairs = [tuple(offset) for offset in neighbours]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"neighbours={neighbours} must be pairs (rows down, columns to the right), at least one")
    for down, right in pairs:
        if not (-MAX_REACH <= down <= 0 and abs(right) <= MAX_REACH and right + 2 * down < 0):
            raise ValueError(
                f"the neighbour ({down}, {right}) must have 0 to {MAX_REACH} rows up, {MAX_REACH} columns at most, and "
                "columns to the right + 2 · rows down below 0: others are decoded later"
            )
    return max(abs(part) for pair in pairs for part in pair)


def empty_tables(
    stages: int, size: int, dim: int, hidden: Sequence[int], neighbours: int = len(NEIGHBOURS)
) -> dict[str, Tensor]:
    """Tables of zeros, by which all indices are equally likely.

    Raises:
        ValueError: a size that is not positive, or so large that sums would not be exact.
    """
    first, second = hidden
    limits = {"stages": (stages, 24), "dim": (dim, 64), "hidden[0]": (first, 512), "hidden[1]": (second, 512)}
    for name, (value, largest) in limits.items():
        if not 1 <= value <= largest:
            raise ValueError(f"{name} is {value}, but must be from 1 to {largest} for a context model")
    total = largest_sum(stages, dim, neighbours)
    if total >= MAX_SUM:
        raise ValueError(f"stages={stages}, dim={dim} and {neighbours} neighbours may give sums of {total} > 2^31")
    # In NumPy, as the meta device of PyTorch is slow to start
    powers = np.rint(2 ** (16 - np.arange(POWERS) / 32)).astype(np.int32)
    return {
        "embedding": torch.zeros(stages, size + 2, dim, dtype=torch.int16),
        "near": torch.zeros(neighbours, dim, first, dtype=torch.int8),
        "own": torch.zeros(stages, dim, first, dtype=torch.int8),
        "first_bias": torch.zeros(stages, first, dtype=torch.int32),
        "second": torch.zeros(stages, first, second, dtype=torch.int8),
        "second_bias": torch.zeros(stages, second, dtype=torch.int32),
        "third": torch.zeros(stages, second, size, dtype=torch.int8),
        "third_bias": torch.zeros(stages, size, dtype=torch.int32),
        "powers": torch.from_numpy(powers),
    }


def largest_sum(stages: int, dim: int, neighbours: int) -> int:
    """The largest magnitude of a sum of the first layer."""
    return (neighbours + 1) * stages * dim * LIMITS["embedding"] * 128 + LIMITS["first_bias"]


def check_tables(tables: Mapping[str, Tensor]) -> None:
    """Raises ValueError where a table holds what would not be exact, or is not of integers."""
    stages, size, dim = tables["embedding"].shape
    expected = empty_tables(stages, size - 2, dim, tables["second"].shape[1:], len(tables["near"]))
    for name, table in tables.items():
        sound = (table.long() >= -LIMITS.get(name, 128)).all() and (table.long() <= LIMITS.get(name, 127)).all()
        if table.dtype != expected[name].dtype or not sound:
            raise ValueError(f"the context model's {name} is out of range, or not of integers")
    powers = tables["powers"]
    if powers[0] != LIMITS["powers"] or (powers.diff() > 0).any() or powers[-1] < 0:
        raise ValueError("invalid powers of the context model: expected 2^16 first, then falling ones from 0 up")


def add(sums: np.ndarray, added: Sums | None, positions: Positions) -> np.ndarray:
    """The sums of the first layer with what conditions add."""
    return sums if added is None else sums + added(positions)


def grouped(fronts: Iterable[Positions], size: int) -> Iterator[list[Positions]]:
    """Consecutive wavefronts of `size` positions or a few more."""
    group: list[Positions] = []
    for front in fronts:
        group.append(front)
        if sum(map(len, group)) >= size:
            yield group
            group = []
    if group:
        yield group
