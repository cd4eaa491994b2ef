"""How likely each index is, given what has been decoded already."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64, Integer
from torch import Tensor

from vqvae.backend.cold_start import is_cold
from vqvae.entropy.base import EntropyModel, Track
from vqvae.entropy.context.network import REACH, Network, PlainNetwork, check_tables, empty_tables
from vqvae.entropy.context.training import train
from vqvae.entropy.range_coder import PRECISION, Decoder, Encoder, check_length

PIECE = 4096  # vectors that are computed at once where all indices are known


class Context(EntropyModel):
    """A small causal network that looks at the neighbours above and to the left, and at the earlier stages here.

    Vectors are coded in fronts of equal column + 2 · row, from top to bottom, and at each front stage by stage: all
    neighbours of a front belong to fronts before it, so its vectors are computed at once. `context_network.py` says
    what the network computes, and why every reader finds the same; `context_training.py` trains it.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
        dim: of the embeddings of the indices, at most 64.
        hidden: features of the two hidden layers, at most 512 each.
        steps: of training.
        batch: vectors in each of them.
        learning_rate: the highest in training.
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
    ):
        super().__init__(stages, index_bits)
        self._train = partial(train, steps=steps, batch=batch, learning_rate=learning_rate)
        for name, table in empty_tables(stages, 1 << index_bits, dim, *hidden).items():
            self.register_buffer(name, table)
        self._network: Network | None = None

    def check(self) -> None:
        check_tables(dict(self.named_buffers()))

    def fit(self, indices: Integer[np.ndarray, "n h w M"], parts: Float[Tensor, "M K D"], track: Track = iter) -> None:
        before = dict(self.named_buffers())
        for name, table in self._train(before, torch.from_numpy(indices), parts, track=track).items():
            setattr(self, name, table)
        self._network = None

    @property
    def network(self) -> Network:
        """What computes the frequencies from the tables."""
        kind = PlainNetwork if is_cold() else _fastest()
        if not isinstance(self._network, kind):
            self._network = kind({name: table.numpy() for name, table in self.named_buffers()})
        return self._network

    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        own = (frequencies for _, frequencies in self._intervals(indices, known))
        return sum((PRECISION - np.log2(frequencies)).sum(1) for frequencies in own)

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        encoders = [Encoder() for _ in indices]
        for below, own in self._intervals(indices, known):
            for encoder, *intervals in zip(encoders, below, own, strict=True):
                encoder.encode_intervals(*intervals)
        return [encoder.finish() for encoder in encoders]

    def decode(
        self, payloads: Sequence[bytes], known: Int64[np.ndarray, "n h w k"], stages: int
    ) -> Int64[np.ndarray, "n h w m"]:
        _, height, width, first = known.shape
        for payload in payloads:
            check_length(payload, height * width * (stages - first))
        decoders = [Decoder(payload) for payload in payloads]
        network, grid = self.network, self._grid(known)
        flat = grid.reshape(len(grid), -1, self.stages)
        for places in _fronts(height, width):
            near, here = network.near(grid, places), flat[:, places]
            for stage in range(first, stages):
                frequencies = network.frequencies(near, here, stage)
                for image, decoder in enumerate(decoders):
                    here[image, :, stage] = decoder.decode(len(places), frequencies[image])
            flat[:, places] = here
        for decoder in decoders:
            decoder.finish()
        return grid[:, REACH:-REACH, REACH:-REACH, :stages].astype(np.int64)

    def choose(
        self,
        parts: Float32[np.ndarray, "n h w M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        weight: float,
        above: Int64[np.ndarray, "n a w M"],
    ) -> Int64[np.ndarray, "n h w M"]:
        number, height, width, stages, dim = parts.shape
        network, grid = self.network, self._grid(np.empty((number, height, width, 0), np.int64))
        last = above[:, -REACH:]
        grid[:, REACH - last.shape[1] : REACH, REACH:-REACH] = last
        flat, listed = grid.reshape(number, -1, stages), parts.reshape(number, -1, stages, dim)
        for places in _fronts(height, width):
            y, x = np.divmod(places, width + 2 * REACH)
            near, here = network.near(grid, places), flat[:, places]
            network.choose(near, here, listed[:, (y - REACH) * width + x - REACH], codebooks, weight)
            flat[:, places] = here
        return grid[:, REACH:-REACH, REACH:-REACH].astype(np.int64)

    def _intervals(
        self, indices: Int64[np.ndarray, "n h w m"], known: int
    ) -> Iterator[tuple[Int32[np.ndarray, "n s"], Int32[np.ndarray, "n s"]]]:
        """All symbols in coding order, as `Encoder.encode_intervals` takes them; many fronts at once."""
        number, height, width, stages = indices.shape
        network, grid = self.network, self._grid(indices)
        flat = grid.reshape(number, -1, self.stages)
        for fronts in _group(_fronts(height, width), max(1, PIECE // number)):
            places = np.concatenate(fronts)
            found = network.intervals(network.near(grid, places), flat[:, places], range(known, stages))
            front = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
            order = np.argsort(front * stages + np.arange(stages - known)[:, None], axis=None, kind="stable")
            below, own = found.swapaxes(2, 3).reshape(2, number, -1)[..., order]
            yield below, own

    def _grid(self, indices: Int64[np.ndarray, "n h w m"]) -> Int32[np.ndarray, "n H W M"]:
        """The indices with a border; K stands for what is outside and K + 1 for what is not known yet."""
        number, height, width, stages = indices.shape
        outside = 1 << self.index_bits
        grid = np.full((number, height + 2 * REACH, width + 2 * REACH, self.stages), outside, np.int32)
        inside = grid[:, REACH:-REACH, REACH:-REACH]
        inside[:] = outside + 1
        inside[..., :stages] = indices
        return grid


@lru_cache(16)
def _fronts(height: int, width: int) -> list[Int64[np.ndarray, " _"]]:
    """The places of each front in the grid with its border, counted row by row."""
    fronts = []
    for number in range(width + 2 * (height - 1)):
        y = np.arange(max(0, -(-(number - width + 1) // 2)), min(height - 1, number // 2) + 1)
        if len(y):
            fronts.append((y + REACH) * (width + 2 * REACH) + number - 2 * y + REACH)
    return fronts


def _group(fronts: list[Int64[np.ndarray, " _"]], places: int) -> Iterator[list[Int64[np.ndarray, " _"]]]:
    """Consecutive fronts of so many places or a few more."""
    piece: list[np.ndarray] = []
    for front in fronts:
        piece.append(front)
        if sum(map(len, piece)) >= places:
            yield piece
            piece = []
    if piece:
        yield piece


def _fastest() -> type[Network]:
    try:
        from vqvae.entropy.context.kernels import CompiledNetwork
    except ImportError:  # no Numba for this Python
        return PlainNetwork
    return CompiledNetwork
