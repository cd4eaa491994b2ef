"""The network of the context model, compiled by Numba: the same integers as in `network.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64

from vqvae.backend.threads import in_threads
from vqvae.entropy.context import kernels
from vqvae.entropy.context.network import NEIGHBOURS, Network, Offsets, Positions, Sums, grouped, largest_deficit
from vqvae.entropy.range_coder import IntervalReader

CHUNK = 256  # positions that a thread takes at once
MIN_CHUNK = 4  # where there are few
DECODED = 4096  # positions that are decoded at once


class CompiledNetwork(Network):
    """The network with its first layer as tables: a row to add for each index at each neighbour."""

    def __init__(self, tables: Mapping[str, np.ndarray], neighbours: Offsets = NEIGHBOURS):
        # Exact in float32: products and sums of integers below 2^24
        embedding, near, own = (tables[name].astype(np.float32) for name in ("embedding", "near", "own"))
        self.neighbour_rows = np.stack([embedding @ weights for weights in near]).astype(np.int32)
        own_rows = np.zeros((len(own), *self.neighbour_rows.shape[1:]), np.int32)
        for stage, weights in enumerate(own):
            own_rows[stage, :stage] = embedding[:stage] @ weights
        self.offsets = np.array(neighbours)
        second, third = (
            np.pad(tables[name].astype(np.float32), ((0, 0), (0, 1), (0, 0))) for name in ("second", "third")
        )
        second_bias, third_bias = (tables[name].astype(np.float32) for name in ("second_bias", "third_bias"))
        self.stacks = (own_rows, tables["first_bias"], second, second_bias, third, third_bias)
        self.size = third_bias.shape[1]
        self.powers = tables["powers"].astype(np.float64)
        self.largest_deficit = np.int32(largest_deficit(self.powers, self.size))

    def context_sums(
        self, grid: Int32[np.ndarray, "n H W M"], positions: Int64[np.ndarray, " p"]
    ) -> Int32[np.ndarray, "n p F"]:
        number, _, width, stages = grid.shape
        sums = np.empty((number, len(positions), self.neighbour_rows.shape[-1]), np.int32)
        kernels.context_sums(
            grid.reshape(number, -1, stages), positions, self.offsets @ (width, 1), self.neighbour_rows, sums
        )
        return sums

    def decode(
        self,
        payloads: Sequence[bytes],
        grid: Int32[np.ndarray, "n H W M"],
        fronts: Iterable[Positions],
        stages: range,
        added: Sums | None,
    ) -> None:
        number, _, width, all_stages = grid.shape
        flat = grid.reshape(number, -1, all_stages)
        tables = self.offsets @ (width, 1), self.neighbour_rows, self.powers, *self.stacks
        readers = [IntervalReader(payload) for payload in payloads]
        for group in grouped(fronts, max(1, DECODED // number)):
            positions, lengths = np.concatenate(group), np.array([len(front) for front in group])
            size = (number, len(positions), self.neighbour_rows.shape[-1])
            more = np.zeros(size, np.int32) if added is None else np.broadcast_to(added(positions), size)
            intervals = np.empty((number, 2, len(positions) * len(stages)), np.int32)
            calls = [
                (
                    *reader.state,
                    flat[n : n + 1],
                    positions,
                    lengths,
                    stages.start,
                    stages.stop,
                    more[n],
                    intervals[n],
                    *tables,
                )
                for n, reader in enumerate(readers)
            ]
            in_threads(kernels.decode_fronts, calls)
            for reader, decoded in zip(readers, intervals, strict=True):
                reader.follow(decoded)
        for reader in readers:
            reader.finish()

    def intervals(
        self, sums: Int32[np.ndarray, "n p F"], symbols: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        intervals = np.empty((2, *sums.shape[:2], len(stages)), np.int32)
        _in_chunks(kernels.intervals, CHUNK, (sums, symbols, *intervals), stages.start, self.powers, *self.stacks)
        return intervals

    def rdo_quantize(
        self,
        sums: Int32[np.ndarray, "n p F"],
        symbols: Int32[np.ndarray, "n p M"],
        subvectors: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
        costs: Float32[np.ndarray, "M K"],
    ) -> None:
        rows = np.ascontiguousarray(codebooks.transpose(0, 2, 1))
        share = max(MIN_CHUNK, -(-sums.shape[1] // torch.get_num_threads()))
        others = rows, costs, np.float32(lmbda / 32), self.largest_deficit
        _in_chunks(kernels.rdo_quantize, share, (sums, symbols, subvectors), *others, *self.stacks)


def _in_chunks(kernel: Callable[..., None], size: int, arrays: Sequence[np.ndarray], *others: Any) -> None:
    """Calls the kernel with chunks of positions of the arrays, in threads."""
    cuts = [slice(start, start + size) for start in range(0, arrays[0].shape[1], size)]
    in_threads(kernel, [(*(array[:, cut] for array in arrays), *others) for cut in cuts])
