"""The network of the context model, compiled by Numba; the same integers as in `context_network.py`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64

from vqvae.backend.numba import compiled, compiled_freely
from vqvae.backend.threads import in_threads
from vqvae.entropy.context.network import (
    FIRST_SHIFT,
    LARGEST_ACTIVATION,
    NEIGHBOURS,
    POWERS,
    SECOND_SHIFT,
    THIRD_SHIFT,
    Network,
)
from vqvae.entropy.range_coder import PRECISION, SURPRISE

PLACES = 256  # that a thread takes at once where they are many,
FEWEST = 4  # and where they are few

# In 32 bits, so that many are computed at once
FIRST, SECOND, THIRD = np.int32(FIRST_SHIFT), np.int32(SECOND_SHIFT), np.int32(THIRD_SHIFT)
ZERO, LARGEST, LAST_POWER = np.int32(0), np.int32(LARGEST_ACTIVATION), np.int32(POWERS - 1)


class CompiledNetwork(Network):
    """The network with its first layer as tables: a row to add for each index at each neighbour."""

    def __init__(self, tables: Mapping[str, np.ndarray]):
        # Exact in float32: products and sums of integers below 2^24
        embedding, near, own = (tables[name].astype(np.float32) for name in ("embedding", "near", "own"))
        self.near_rows = np.stack([embedding @ weights for weights in near]).astype(np.int32)
        own_rows = np.zeros((len(own), *self.near_rows.shape[1:]), np.int32)
        for stage, weights in enumerate(own):
            own_rows[stage, :stage] = embedding[:stage] @ weights
        self.offsets = np.array(NEIGHBOURS)
        second, third = (
            np.pad(tables[name].astype(np.float32), ((0, 0), (0, 1), (0, 0))) for name in ("second", "third")
        )
        second_bias, third_bias = (tables[name].astype(np.float32) for name in ("second_bias", "third_bias"))
        self.stacks = (own_rows, tables["first_bias"], second, second_bias, third, third_bias)
        self.size = third_bias.shape[1]
        self.powers = tables["powers"].astype(np.float64)
        floor = self.powers[0] // (SURPRISE * (self.size - 1)) + 1
        # What no index takes more than, in 32nds of a bit
        self.dearest = np.int32(32 * np.log2(self.powers[0] / floor))

    def near(self, grid: Int32[np.ndarray, "n H W M"], places: Int64[np.ndarray, " p"]) -> Int32[np.ndarray, "n p F"]:
        number, _, width, stages = grid.shape
        sums = np.empty((number, len(places), self.near_rows.shape[-1]), np.int32)
        _near(grid.reshape(number, -1, stages), places, self.offsets @ (width, 1), self.near_rows, sums)
        return sums

    def frequencies(
        self, near: Int32[np.ndarray, "n p F"], here: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        frequencies = np.empty((*near.shape[:2], self.size), np.float32)
        _frequencies(near, here, stage, frequencies, self.powers, *self.stacks)
        return frequencies

    def intervals(
        self, near: Int32[np.ndarray, "n p F"], here: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        found = np.empty((2, *near.shape[:2], len(stages)), np.int32)
        _in_pieces(_intervals, PLACES, (near, here, *found), stages.start, self.powers, *self.stacks)
        return found

    def choose(
        self,
        near: Int32[np.ndarray, "n p F"],
        here: Int32[np.ndarray, "n p M"],
        parts: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        weight: float,
    ) -> None:
        rows = np.ascontiguousarray(codebooks.transpose(0, 2, 1))
        share = max(FEWEST, -(-near.shape[1] // torch.get_num_threads()))
        _in_pieces(_choose, share, (near, here, parts), rows, np.float32(weight / 32), self.dearest, *self.stacks)


def _in_pieces(kernel: Callable[..., None], places: int, arrays: Sequence[np.ndarray], *others: Any) -> None:
    """Calls the kernel with so many places of the arrays at once, in threads."""
    cuts = [slice(start, start + places) for start in range(0, arrays[0].shape[1], places)]
    in_threads(kernel, [(*(array[:, cut] for array in arrays), *others) for cut in cuts])


@compiled
def _near(grid, places, offsets, rows, sums):  # type: ignore[no-untyped-def]
    number, stages, features = len(grid), grid.shape[2], rows.shape[3]
    for n in range(number):
        for p in range(len(places)):
            for f in range(features):
                sums[n, p, f] = 0
            for o in range(len(offsets)):
                place = places[p] + offsets[o]
                m = 0
                while m + 4 <= stages:  # four at once: a quarter of the passes over the sums
                    a, b, c, d = grid[n, place, m], grid[n, place, m + 1], grid[n, place, m + 2], grid[n, place, m + 3]
                    for f in range(features):
                        sums[n, p, f] += (rows[o, m, a, f] + rows[o, m + 1, b, f]) + (
                            rows[o, m + 2, c, f] + rows[o, m + 3, d, f]
                        )
                    m += 4
                while m < stages:
                    a = grid[n, place, m]
                    for f in range(features):
                        sums[n, p, f] += rows[o, m, a, f]
                    m += 1


@compiled
def _frequencies(  # type: ignore[no-untyped-def]
    near, here, stage, frequencies, powers, own, first_bias, second, second_bias, third, third_bias
):
    number, places, features = near.shape
    inner, size = second_bias.shape[1], third_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below = np.empty(size, np.int32)
    own, first_bias, second = own[stage], first_bias[stage], second[stage]
    second_bias, third, third_bias = second_bias[stage], third[stage], third_bias[stage]
    for n in range(number):
        for p in range(places):
            _first(near[n, p], here[n, p], stage, own, first_bias, total, active)
            _others(active, where, second, second_bias, hidden, third, third_bias, logits)
            _normalize(logits, below, powers, frequencies[n, p])


@compiled
def _intervals(  # type: ignore[no-untyped-def]
    near, here, lower, width, start, powers, own, first_bias, second, second_bias, third, third_bias
):
    number, places, features = near.shape
    inner, size = second_bias.shape[1], third_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below, frequencies = np.empty(size, np.int32), np.empty(size, np.float32)
    for n in range(number):
        for m in range(lower.shape[2]):
            stage = start + m
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias = third[stage], third_bias[stage]
            for p in range(places):
                _first(near[n, p], here[n, p], stage, table, bias, total, active)
                _others(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _normalize(logits, below, powers, frequencies)
                index, sum_below = here[n, p, stage], np.int32(0)
                for k in range(index):
                    sum_below += np.int32(frequencies[k]) + np.int32(1)
                lower[n, p, m] = sum_below
                width[n, p, m] = np.int32(frequencies[index]) + np.int32(1)


@compiled_freely
def _choose(  # type: ignore[no-untyped-def]
    near, here, parts, codebooks, weight, dearest, own, first_bias, second, second_bias, third, third_bias
):
    """`Network.choose`, with the bits as the logits say: they differ from what the coder takes by its rounding."""
    number, places, features = near.shape
    stages, dim, size = codebooks.shape
    inner = second_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below = np.empty(size, np.int32)
    for n in range(number):
        for stage in range(stages):  # one after the other, so that its tables stay in the cache
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias, codebook = third[stage], third_bias[stage], codebooks[stage]
            for p in range(places):
                _first(near[n, p], here[n, p], stage, table, bias, total, active)
                _others(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _below(logits, below)
                for k in range(size):
                    logits[k] = weight * np.float32(min(below[k], dearest))
                for i in range(dim):
                    value = parts[n, p, stage, i]
                    for k in range(size):
                        difference = codebook[i, k] - value
                        logits[k] += difference * difference
                here[n, p, stage] = _least(logits)


@compiled_freely
def _least(costs):  # type: ignore[no-untyped-def]
    """The index of the least, the first of several."""
    least = costs[0]
    for k in range(len(costs)):
        least = min(least, costs[k])
    index = 0
    while index < len(costs) - 1 and costs[index] != least:  # never beyond, whatever a foreign model gives
        index += 1
    return index


@compiled
def _first(near, here, stage, own, bias, total, active):  # type: ignore[no-untyped-def]
    """The activations of the first layer."""
    for f in range(len(near)):
        total[f] = near[f] + bias[f]
    for m in range(stage):
        index = here[m]
        for f in range(len(near)):
            total[f] += own[m, index, f]
    for f in range(len(near)):
        active[f] = np.float32(min(max(total[f] >> FIRST, ZERO), LARGEST))


@compiled
def _others(active, where, second, second_bias, hidden, third, third_bias, logits):  # type: ignore[no-untyped-def]
    """The logits from the activations of the first layer, before their shift."""
    _layer(active, where, second, second_bias, hidden)
    for h in range(len(hidden)):
        active[h] = np.float32(min(max(np.int32(hidden[h]) >> SECOND, ZERO), LARGEST))
    _layer(active, where, third, third_bias, logits)


@compiled_freely
def _layer(active, where, weights, bias, sums):  # type: ignore[no-untyped-def]
    """A layer's sums. Most activations are zero and passed over; of the others eight are taken at once.

    The weights' last row is of zeros: it fills up the last eight.
    """
    last = len(weights) - 1
    active[last] = 0
    count = 0
    for f in range(last):
        where[count] = f
        count += active[f] > 0
    for k in range(count, count + 7):
        where[k] = last
    for i in range(len(sums)):
        sums[i] = bias[i]
    for k in range(0, count, 8):
        a, b, c, d = where[k], where[k + 1], where[k + 2], where[k + 3]
        e, f, g, h = where[k + 4], where[k + 5], where[k + 6], where[k + 7]
        r, s, t, u = active[a], active[b], active[c], active[d]
        v, w, x, y = active[e], active[f], active[g], active[h]
        for i in range(len(sums)):
            total = sums[i] + r * weights[a, i]
            total += s * weights[b, i]
            total += t * weights[c, i]
            total += u * weights[d, i]
            total += v * weights[e, i]
            total += w * weights[f, i]
            total += x * weights[g, i]
            total += y * weights[h, i]
            sums[i] = total


@compiled
def _below(logits, below):  # type: ignore[no-untyped-def]
    """How far each logit is below the largest, in 32nds of a bit, at most as far as the powers go."""
    top = np.int32(-(1 << 30))
    for k in range(len(logits)):
        below[k] = np.int32(logits[k]) >> THIRD
        top = max(top, below[k])
    for k in range(len(logits)):
        below[k] = min(top - below[k], LAST_POWER)


@compiled_freely
def _normalize(logits, below, powers, frequencies):  # type: ignore[no-untyped-def]
    """Frequencies in proportion to 2^(logit / 32): `to_frequencies` of the powers, in float64, which is exact here.

    A weight is at most 2^16 and the factor below 2^28, as the largest weight is 2^16.
    """
    size = len(logits)
    _below(logits, below)
    floor = powers[0] // (SURPRISE * (size - 1)) + 1
    total = 0.0
    for k in range(size):
        weight = max(powers[below[k]], floor)
        logits[k] = weight
        total += weight
    left = (1 << PRECISION) - size
    factor = ((left << 20) // np.int64(total)) / (1 << 20)
    rest = float(left)
    for k in range(size):
        frequency = np.floor(logits[k] * factor)
        frequencies[k] = frequency
        rest -= frequency
    frequencies[size - 1] += np.float32(rest)
