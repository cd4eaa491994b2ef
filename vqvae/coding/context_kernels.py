"""The network of the context model, compiled by Numba; the same integers as in `context_network.py`."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Int32, Int64

from vqvae.coding.coder import PRECISION, SURPRISE
from vqvae.coding.context_network import (
    FIRST_SHIFT,
    LARGEST_ACTIVATION,
    NEIGHBOURS,
    POWERS,
    SECOND_SHIFT,
    THIRD_SHIFT,
    Network,
)
from vqvae.compiled import compiled

# In 32 bits, so that many are computed at once
FIRST, SECOND = np.int32(FIRST_SHIFT), np.int32(SECOND_SHIFT)
ZERO, LARGEST = np.int32(0), np.int32(LARGEST_ACTIVATION)


class CompiledNetwork(Network):
    """The network with its first layer as tables: a row to add for each index at each neighbour."""

    def __init__(self, tables: Mapping[str, np.ndarray]):
        embedding = tables["embedding"].astype(np.float64)  # exact: products and sums of integers below 2^53
        self.near_rows, self.own_rows = (
            np.stack([embedding @ weights for weights in tables[name].astype(np.float64)]).astype(np.int32)
            for name in ("near", "own")
        )
        self.offsets = np.array(NEIGHBOURS)
        self.first_bias = tables["first_bias"]
        self.layers = [
            tuple(tables[name][stage].astype(np.float32) for name in ("second", "second_bias", "third", "third_bias"))
            for stage in range(len(embedding))
        ]
        self.powers = tables["powers"].astype(np.int64)

    def near(
        self, grid: Int32[np.ndarray, "n H W M"], y: Int64[np.ndarray, " p"], x: Int64[np.ndarray, " p"]
    ) -> Int32[np.ndarray, "n p F"]:
        sums = np.empty((len(grid), len(y), self.near_rows.shape[-1]), np.int32)
        _near(grid, y, x, self.offsets, self.near_rows, sums)
        return sums

    def frequencies(
        self, near: Int32[np.ndarray, "n p F"], here: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        second, second_bias, third, third_bias = self.layers[stage]
        first = np.empty((near.shape[0] * near.shape[1], near.shape[2]), np.float32)
        flat_near, flat_here = near.reshape(first.shape), here.reshape(len(first), -1)
        _add_own(flat_near, flat_here, self.own_rows[stage], self.first_bias[stage], stage, first)
        hidden = first @ second
        _activate(hidden, second_bias)
        frequencies = np.empty((*near.shape[:2], len(third_bias)), np.float32)
        _normalize(hidden @ third, third_bias, self.powers, frequencies.reshape(len(first), -1))
        return frequencies


@compiled
def _near(grid, y, x, offsets, rows, sums):  # type: ignore[no-untyped-def]
    number, places, features = sums.shape
    stages = grid.shape[3]
    for n in range(number):
        for p in range(places):
            total = sums[n, p]
            total[:] = 0
            for o in range(len(offsets)):
                indices = grid[n, y[p] + offsets[o, 0], x[p] + offsets[o, 1]]
                m = 0
                while m + 4 <= stages:  # four at once: a quarter of the passes over the sums
                    a, b = rows[o, m, indices[m]], rows[o, m + 1, indices[m + 1]]
                    c, d = rows[o, m + 2, indices[m + 2]], rows[o, m + 3, indices[m + 3]]
                    for f in range(features):
                        total[f] += (a[f] + b[f]) + (c[f] + d[f])
                    m += 4
                while m < stages:
                    a = rows[o, m, indices[m]]
                    for f in range(features):
                        total[f] += a[f]
                    m += 1


@compiled
def _add_own(near, here, rows, bias, stage, first):  # type: ignore[no-untyped-def]
    """The whole first layer, from the neighbours' part of it."""
    places, features = near.shape
    total = np.empty(features, np.int32)
    for p in range(places):
        for f in range(features):
            total[f] = near[p, f] + bias[f]
        for m in range(stage):
            row = rows[m, here[p, m]]
            for f in range(features):
                total[f] += row[f]
        for f in range(features):
            first[p, f] = np.float32(min(max(total[f] >> FIRST, ZERO), LARGEST))


@compiled
def _activate(hidden, bias):  # type: ignore[no-untyped-def]
    places, features = hidden.shape
    for p in range(places):
        for f in range(features):
            hidden[p, f] = np.float32(min(max(np.int32(hidden[p, f] + bias[f]) >> SECOND, ZERO), LARGEST))


@compiled
def _normalize(products, bias, powers, frequencies):  # type: ignore[no-untyped-def]
    """Frequencies in proportion to 2^(logit / 32): `to_frequencies` of the powers, without its arrays."""
    places, size = products.shape
    logits, weights = np.empty(size, np.int32), np.empty(size, np.int64)
    for p in range(places):
        for k in range(size):
            logits[k] = np.int32(products[p, k] + bias[k]) >> THIRD_SHIFT
        top = logits.max()
        total = 0
        floor = powers[0] // (SURPRISE * (size - 1)) + 1
        for k in range(size):
            weight = max(powers[min(top - logits[k], POWERS - 1)], floor)
            weights[k] = weight
            total += weight
        left = (1 << PRECISION) - size
        factor = (left << 20) // total
        for k in range(size):
            frequency = weights[k] * factor >> 20
            frequencies[p, k] = frequency
            left -= frequency
        frequencies[p, size - 1] += left
