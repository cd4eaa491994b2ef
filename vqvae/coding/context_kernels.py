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
FIRST, SECOND, THIRD = np.int32(FIRST_SHIFT), np.int32(SECOND_SHIFT), np.int32(THIRD_SHIFT)
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
        self.second, self.second_bias, self.third, self.third_bias = (
            tables[name].astype(np.float32) for name in ("second", "second_bias", "third", "third_bias")
        )
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
        frequencies = np.empty((*near.shape[:2], self.third_bias.shape[1]), np.float32)
        own, bias = self.own_rows[stage], self.first_bias[stage]
        hidden, out = (self.second[stage], self.second_bias[stage]), (self.third[stage], self.third_bias[stage])
        _frequencies(near, here, stage, own, bias, *hidden, *out, self.powers, frequencies)
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
def _frequencies(  # type: ignore[no-untyped-def]
    near, here, stage, own, first_bias, second, second_bias, third, third_bias, powers, frequencies
):
    number, places, features = near.shape
    total = np.empty(features, np.int32)
    hidden, logits = np.empty(len(second_bias), np.float32), np.empty(len(third_bias), np.float32)
    active, where = np.empty(max(features, len(hidden)), np.float32), np.empty(max(features, len(hidden)), np.int32)
    for n in range(number):
        for p in range(places):
            for f in range(features):
                total[f] = near[n, p, f] + first_bias[f]
            for m in range(stage):
                row = own[m, here[n, p, m]]
                for f in range(features):
                    total[f] += row[f]
            for f in range(features):
                active[f] = np.float32(min(max(total[f] >> FIRST, ZERO), LARGEST))
            _add_layer(active, where, features, second, second_bias, hidden)
            for h in range(len(hidden)):
                active[h] = np.float32(min(max(np.int32(hidden[h]) >> SECOND, ZERO), LARGEST))
            _add_layer(active, where, len(hidden), third, third_bias, logits)
            _normalize(logits, powers, frequencies[n, p])


@compiled
def _add_layer(active, where, features, weights, bias, sums):  # type: ignore[no-untyped-def]
    """A layer's sums. Most activations are zero and passed over; of the others four are taken at once."""
    count = 0
    for f in range(features):
        where[count] = f
        count += active[f] > 0
    sums[:] = bias
    k = 0
    while k + 4 <= count:
        e, f, g, h = where[k], where[k + 1], where[k + 2], where[k + 3]
        a, b, c, d = weights[e], weights[f], weights[g], weights[h]
        u, v, w, x = active[e], active[f], active[g], active[h]
        for i in range(len(sums)):
            sums[i] += (u * a[i] + v * b[i]) + (w * c[i] + x * d[i])
        k += 4
    while k < count:
        a, u = weights[where[k]], active[where[k]]
        for i in range(len(sums)):
            sums[i] += u * a[i]
        k += 1


@compiled
def _normalize(logits, powers, frequencies):  # type: ignore[no-untyped-def]
    """Frequencies in proportion to 2^(logit / 32): `to_frequencies` of the powers, without its arrays."""
    size = len(logits)
    top = np.int32(logits.max()) >> THIRD
    floor = powers[0] // (SURPRISE * (size - 1)) + 1
    total = 0
    for k in range(size):
        weight = max(powers[min(top - (np.int32(logits[k]) >> THIRD), POWERS - 1)], floor)
        frequencies[k] = np.float32(weight)
        total += weight
    left = np.int64((1 << PRECISION) - size)
    factor = (left << 20) // total
    for k in range(size):
        frequency = np.int64(frequencies[k]) * factor >> 20
        frequencies[k] = np.float32(frequency)
        left -= frequency
    frequencies[size - 1] += np.float32(left)
