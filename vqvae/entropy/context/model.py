"""How likely each index is, given those decoded before."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64, Integer
from torch import Tensor

from vqvae.backend.dispatch import import_compiled, prefers_plain
from vqvae.entropy.base import EntropyModel, Track
from vqvae.entropy.context.network import (
    NEIGHBOURS,
    Network,
    Offsets,
    Positions,
    Sums,
    add,
    check_neighbours,
    check_tables,
    empty_tables,
    grouped,
)
from vqvae.entropy.context.plain_network import PlainNetwork
from vqvae.entropy.context.training import Given, train
from vqvae.entropy.range_coder import PRECISION, Encoder, check_length

CHUNK = 4096  # vectors that are computed at once where all indices are known
CACHED_GRID = 2**14  # vectors of the largest grids whose wavefronts are kept


class Context(EntropyModel):
    """A small causal network that sees the neighbours above and to the left, and the earlier stages of the same vector.

    Vectors are coded in wavefronts of equal column + 2 · row, from top to bottom, and in each wavefront stage by stage:
    all neighbours of a wavefront belong to earlier ones, so its vectors are computed at once. `network.py` says what
    the network computes, and why every decoder finds the same; `training.py` trains it.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
        dim: of the embeddings of the indices, at most 64.
        hidden: features of the two hidden layers, at most 512 each.
        steps: number of training steps.
        batch: vectors in each of them.
        learning_rate: the highest in training.
        neighbours: where the neighbours are: (rows down, columns to the right) of a vector.
    """

    code = 2
    non_decoding_arguments = frozenset({"steps", "batch", "learning_rate"})

    def __init__(
        self,
        stages: int,
        index_bits: int,
        dim: int,
        hidden: Sequence[int],
        steps: int,
        batch: int,
        learning_rate: float,
        neighbours: Offsets = NEIGHBOURS,
    ):
        super().__init__(stages, index_bits)
        self.neighbours, self.reach = neighbours, check_neighbours(neighbours)
        if len(hidden) != 2:
            raise ValueError(f"hidden={hidden} must have two entries")
        self._train = partial(train, neighbours=neighbours, steps=steps, batch=batch, learning_rate=learning_rate)
        for name, table in empty_tables(stages, 1 << index_bits, dim, hidden, len(neighbours)).items():
            self.register_buffer(name, table)
        self._networks: dict[type[Network], Network] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_networks": {}}  # computed from the tables, and several times as large

    def check(self) -> None:
        check_tables(dict(self.named_buffers()))

    def fit(
        self, indices: Integer[np.ndarray, "n h w M"], contributions: Float[Tensor, "M K D"], track: Track = iter
    ) -> None:
        self.fit_given(None, indices, contributions, track)

    def fit_given(
        self,
        given: Given | None,
        indices: Integer[np.ndarray, "n h w M"],
        contributions: Float[Tensor, "M K D"],
        track: Track,
    ) -> None:
        """The same, for a layer, whose conditions are trained as well."""
        before = dict(self.named_buffers())
        tables = self._train(before, torch.from_numpy(indices), contributions, track=track, given=given)
        for name, table in tables.items():
            setattr(self, name, table)
        self._networks = {}

    @property
    def network(self) -> Network:
        """What computes the frequencies from the tables."""
        kind = PlainNetwork if prefers_plain() else _fastest()
        if kind not in self._networks:
            self._networks[kind] = kind({name: table.numpy() for name, table in self.named_buffers()}, self.neighbours)
        return self._networks[kind]

    def bits(
        self, indices: Int64[np.ndarray, "n h w m"], known: int = 0, added: Sums | None = None
    ) -> Float[np.ndarray, " n"]:
        intervals = self._intervals(indices, known, added)
        return sum((PRECISION - np.log2(freq)).sum(1) for _, freq in intervals)

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0, added: Sums | None = None) -> list[bytes]:
        encoders = [Encoder() for _ in indices]
        for cum_freq, freq in self._intervals(indices, known, added):
            for encoder, *intervals in zip(encoders, cum_freq, freq, strict=True):
                encoder.encode_intervals(*intervals)
        return [encoder.finish() for encoder in encoders]

    def decode(
        self,
        payloads: Sequence[bytes],
        known: Int64[np.ndarray, "n h w k"],
        stages: int,
        added: Sums | None = None,
    ) -> Int64[np.ndarray, "n h w m"]:
        _, height, width, first = known.shape
        for payload in payloads:
            check_length(payload, height * width * (stages - first))
        grid, fronts = self._grid(known), _wavefronts(height, width, self.reach)
        self.network.decode(payloads, grid, fronts, range(first, stages), added)
        return self._inside(grid)[..., :stages].astype(np.int64)

    def rdo_quantize(
        self,
        subvectors: Float32[np.ndarray, "n h w M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
        above: Int64[np.ndarray, "n a w M"],
        costs: Float32[np.ndarray, "M K"] | None = None,
        added: Sums | None = None,
    ) -> Int64[np.ndarray, "n h w M"]:
        number, height, width, stages, dim = subvectors.shape
        if costs is None:
            costs = np.zeros(codebooks.shape[:2], np.float32)
        network, grid, reach = self.network, self._grid(np.empty((number, height, width, 0), np.int64)), self.reach
        last = above[:, -reach:]
        grid[:, reach - last.shape[1] : reach, reach:-reach] = last
        flat, listed = grid.reshape(number, -1, stages), subvectors.reshape(number, -1, stages, dim)
        for positions in _wavefronts(height, width, reach):
            y, x = np.divmod(positions, width + 2 * reach)
            sums, symbols = add(network.context_sums(grid, positions), added, positions), flat[:, positions]
            vectors = listed[:, (y - reach) * width + x - reach]
            network.rdo_quantize(sums, symbols, vectors, codebooks, lmbda, costs)
            flat[:, positions] = symbols
        return self._inside(grid).astype(np.int64)

    def _intervals(
        self, indices: Int64[np.ndarray, "n h w m"], known: int, added: Sums | None = None
    ) -> Iterator[tuple[Int32[np.ndarray, "n s"], Int32[np.ndarray, "n s"]]]:
        """All symbols in coding order, as `Encoder.encode_intervals` takes them; many wavefronts at once."""
        number, height, width, stages = indices.shape
        network, grid = self.network, self._grid(indices)
        flat = grid.reshape(number, -1, self.stages)
        for fronts in grouped(_wavefronts(height, width, self.reach), max(1, CHUNK // number)):
            positions = np.concatenate(fronts)
            sums = add(network.context_sums(grid, positions), added, positions)
            intervals = network.intervals(sums, flat[:, positions], range(known, stages))
            front = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
            order = np.argsort(front * stages + np.arange(stages - known)[:, None], axis=None, kind="stable")
            cum_freq, freq = intervals.swapaxes(2, 3).reshape(2, number, -1)[..., order]
            yield cum_freq, freq

    def _grid(self, indices: Int64[np.ndarray, "n h w m"]) -> Int32[np.ndarray, "n H W M"]:
        """The indices with a border; K stands for what is outside and K + 1 for what is not known yet."""
        number, height, width, stages = indices.shape
        outside, border = 1 << self.index_bits, 2 * self.reach
        grid = np.full((number, height + border, width + border, self.stages), outside, np.int32)
        inside = self._inside(grid)
        inside[:] = outside + 1
        inside[..., :stages] = indices
        return grid

    def _inside(self, grid: Int32[np.ndarray, "n H W M"]) -> Int32[np.ndarray, "n h w M"]:
        return grid[:, self.reach : -self.reach, self.reach : -self.reach]


def _wavefronts(height: int, width: int, reach: int) -> Iterable[Positions]:
    """The positions of each wavefront in the grid with its border, counted row by row."""
    few = height * width <= CACHED_GRID
    return _cached_wavefronts(height, width, reach) if few else _compute_wavefronts(height, width, reach)


@lru_cache(16)
def _cached_wavefronts(height: int, width: int, reach: int) -> list[Positions]:
    return list(_compute_wavefronts(height, width, reach))


def _compute_wavefronts(height: int, width: int, reach: int) -> Iterator[Positions]:
    for number in range(width + 2 * (height - 1)):
        y = np.arange(max(0, -(-(number - width + 1) // 2)), min(height - 1, number // 2) + 1)
        if len(y):
            yield (y + reach) * (width + 2 * reach) + number - 2 * y + reach


@cache
def _fastest() -> type[Network]:
    module = import_compiled(
        "vqvae.entropy.context.compiled_network", "entropy coding runs in NumPy, many times slower"
    )
    return module.CompiledNetwork if module else PlainNetwork
