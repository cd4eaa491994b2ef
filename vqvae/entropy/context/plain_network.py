"""The network of the context model in NumPy, as `network.py` has it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float32, Int32, Int64

from vqvae.entropy.context.network import (
    FIRST_SHIFT,
    LARGEST_ACTIVATION,
    NEIGHBOURS,
    POWERS,
    SECOND_SHIFT,
    THIRD_SHIFT,
    Network,
    Offsets,
    Positions,
    Sums,
    add,
    largest_deficit,
)
from vqvae.entropy.range_coder import Decoder, to_frequencies


class PlainNetwork(Network):
    """The network with all integers in float64, which holds them exactly."""

    def __init__(self, tables: Mapping[str, np.ndarray], neighbours: Offsets = NEIGHBOURS):
        self.neighbours = neighbours
        self.tables = {name: table.astype(np.float64) for name, table in tables.items()}
        self.powers = tables["powers"].astype(np.int64)

    def context_sums(
        self, grid: Int32[np.ndarray, "n H W M"], positions: Int64[np.ndarray, " p"]
    ) -> Float[np.ndarray, "n p F"]:
        number, _, width, stages = grid.shape
        flat = grid.reshape(number, -1, stages)
        around = [self._embed(flat[:, positions + down * width + right]) for down, right in self.neighbours]
        return np.concatenate(around, -1) @ self.tables["near"].reshape(-1, self.tables["near"].shape[2])

    def decode(
        self,
        payloads: Sequence[bytes],
        grid: Int32[np.ndarray, "n H W M"],
        fronts: Iterable[Positions],
        stages: range,
        added: Sums | None,
    ) -> None:
        decoders, flat = [Decoder(payload) for payload in payloads], grid.reshape(len(grid), -1, grid.shape[3])
        for positions in fronts:
            sums, symbols = add(self.context_sums(grid, positions), added, positions), flat[:, positions]
            for stage in stages:
                frequencies = self.frequencies(sums, symbols, stage)
                for image, decoder in enumerate(decoders):
                    symbols[image, :, stage] = decoder.decode(len(positions), frequencies[image])
            flat[:, positions] = symbols
        for decoder in decoders:
            decoder.finish()

    def frequencies(
        self, sums: np.ndarray, symbols: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        """How likely each index of a stage is: frequencies less 1.

        Args:
            sums: of the first layer, but for what the earlier stages at these positions add.
            symbols: the indices at these positions; of the stages before `stage`, at least.
            stage: the stage, from 0.
        """
        return to_frequencies(self.powers[self._deficits(sums, symbols, stage)])

    def intervals(
        self, sums: np.ndarray, symbols: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        intervals = np.empty((2, *sums.shape[:2], len(stages)), np.int32)
        for number, stage in enumerate(stages):
            cumulative = (self.frequencies(sums, symbols, stage).astype(np.int32) + 1).cumsum(-1)
            ends = np.pad(cumulative, ((0, 0), (0, 0), (1, 0)))
            lower, upper = (np.take_along_axis(ends, symbols[..., stage, None] + side, -1)[..., 0] for side in (0, 1))
            intervals[0, ..., number], intervals[1, ..., number] = lower, upper - lower
        return intervals

    def rdo_quantize(
        self,
        sums: np.ndarray,
        symbols: Int32[np.ndarray, "n p M"],
        subvectors: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
        costs: Float32[np.ndarray, "M K"],
    ) -> None:
        largest = largest_deficit(self.powers, codebooks.shape[1])
        for stage, codebook in enumerate(codebooks):
            bits = np.minimum(self._deficits(sums, symbols, stage), largest)
            total = np.float32(lmbda / 32) * bits.astype(np.float32) + costs[stage]
            for values, codewords in zip(np.moveaxis(subvectors[..., stage, :], -1, 0), codebook.T, strict=True):
                difference = codewords - values[..., None]
                total += difference * difference
            symbols[..., stage] = total.argmin(-1)

    def _deficits(
        self, sums: np.ndarray, symbols: Int32[np.ndarray, "n p M"], stage: int
    ) -> Int64[np.ndarray, "n p K"]:
        """How far each logit is below the largest, in 32nds of a bit, at most as far as the powers go."""
        tables = self.tables
        total = sums + self._embed(symbols[..., :stage]) @ tables["own"][stage] + tables["first_bias"][stage]
        first = _activate(total, FIRST_SHIFT)
        second = _activate(first @ tables["second"][stage] + tables["second_bias"][stage], SECOND_SHIFT)
        logits = _shift(second @ tables["third"][stage] + tables["third_bias"][stage], THIRD_SHIFT).astype(np.int64)
        return np.minimum(logits.max(-1, keepdims=True) - logits, POWERS - 1)

    def _embed(self, indices: Int32[np.ndarray, "n p m"]) -> Float[np.ndarray, "n p E"]:
        embedding = self.tables["embedding"]
        parts = (embedding[stage][indices[..., stage]] for stage in range(indices.shape[2]))
        return sum(parts, start=np.zeros((*indices.shape[:2], embedding.shape[2])))


def _shift(values: Float[np.ndarray, "n p f"], digits: int) -> Float[np.ndarray, "n p f"]:
    return np.floor(values / (1 << digits))  # exact: a power of two


def _activate(values: Float[np.ndarray, "n p f"], digits: int) -> Float[np.ndarray, "n p f"]:
    return _shift(values, digits).clip(0, LARGEST_ACTIVATION)
