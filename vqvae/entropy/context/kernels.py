"""The network of the context model, compiled by Numba; the same integers as in `network.py`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64

from vqvae.backend.numba import compiled, compiled_freely
from vqvae.backend.threads import in_threads
from vqvae.entropy.context.network import NEIGHBOURS, Network, Offsets, largest_deficit

CHUNK = 256  # positions that a thread takes at once
MIN_CHUNK = 4  # where there are few

# The constants of network.py and range_coder.py once more: machine code is cached on disk until this file changes, so a
# constant from another file could become stale. In 32 bits, so that the kernels are vectorised.
FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = np.int32(9), np.int32(7), np.int32(4)
ZERO, LARGEST_ACTIVATION, LAST_POWER = np.int32(0), np.int32(255), np.int32(511)
PRECISION, MAX_PROBABILITY_RATIO = 24, 256


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
        _context_sums(grid.reshape(number, -1, stages), positions, self.offsets @ (width, 1), self.neighbour_rows, sums)
        return sums

    def frequencies(
        self, sums: Int32[np.ndarray, "n p F"], symbols: Int32[np.ndarray, "n p M"], stage: int
    ) -> Float32[np.ndarray, "n p K"]:
        frequencies = np.empty((*sums.shape[:2], self.size), np.float32)
        _frequencies(sums, symbols, stage, frequencies, self.powers, *self.stacks)
        return frequencies

    def intervals(
        self, sums: Int32[np.ndarray, "n p F"], symbols: Int32[np.ndarray, "n p M"], stages: range
    ) -> Int32[np.ndarray, "2 n p m"]:
        intervals = np.empty((2, *sums.shape[:2], len(stages)), np.int32)
        _in_chunks(_intervals, CHUNK, (sums, symbols, *intervals), stages.start, self.powers, *self.stacks)
        return intervals

    def rdo_quantize(
        self,
        sums: Int32[np.ndarray, "n p F"],
        symbols: Int32[np.ndarray, "n p M"],
        subvectors: Float32[np.ndarray, "n p M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
    ) -> None:
        rows = np.ascontiguousarray(codebooks.transpose(0, 2, 1))
        share = max(MIN_CHUNK, -(-sums.shape[1] // torch.get_num_threads()))
        others = rows, np.float32(lmbda / 32), self.largest_deficit
        _in_chunks(_rdo_quantize, share, (sums, symbols, subvectors), *others, *self.stacks)


def _in_chunks(kernel: Callable[..., None], size: int, arrays: Sequence[np.ndarray], *others: Any) -> None:
    """Calls the kernel with chunks of positions of the arrays, in threads."""
    cuts = [slice(start, start + size) for start in range(0, arrays[0].shape[1], size)]
    in_threads(kernel, [(*(array[:, cut] for array in arrays), *others) for cut in cuts])


@compiled
def _context_sums(grid, positions, offsets, rows, sums):  # type: ignore[no-untyped-def]
    number, stages, features = len(grid), grid.shape[2], rows.shape[3]
    for n in range(number):
        for p in range(len(positions)):
            for f in range(features):
                sums[n, p, f] = 0
            for o in range(len(offsets)):
                position = positions[p] + offsets[o]
                m = 0
                while m + 4 <= stages:  # four at once: a quarter of the passes over the sums
                    a, b = grid[n, position, m], grid[n, position, m + 1]
                    c, d = grid[n, position, m + 2], grid[n, position, m + 3]
                    for f in range(features):
                        sums[n, p, f] += (rows[o, m, a, f] + rows[o, m + 1, b, f]) + (
                            rows[o, m + 2, c, f] + rows[o, m + 3, d, f]
                        )
                    m += 4
                while m < stages:
                    a = grid[n, position, m]
                    for f in range(features):
                        sums[n, p, f] += rows[o, m, a, f]
                    m += 1


@compiled
def _frequencies(  # type: ignore[no-untyped-def]
    sums, symbols, stage, frequencies, powers, own, first_bias, second, second_bias, third, third_bias
):
    number, positions, features = sums.shape
    inner, size = second_bias.shape[1], third_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below = np.empty(size, np.int32)
    own, first_bias, second = own[stage], first_bias[stage], second[stage]
    second_bias, third, third_bias = second_bias[stage], third[stage], third_bias[stage]
    for n in range(number):
        for p in range(positions):
            _first(sums[n, p], symbols[n, p], stage, own, first_bias, total, active)
            _others(active, where, second, second_bias, hidden, third, third_bias, logits)
            _normalize(logits, below, powers, frequencies[n, p])


@compiled
def _intervals(  # type: ignore[no-untyped-def]
    sums, symbols, lower, width, start, powers, own, first_bias, second, second_bias, third, third_bias
):
    number, positions, features = sums.shape
    inner, size = second_bias.shape[1], third_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below, frequencies = np.empty(size, np.int32), np.empty(size, np.float32)
    for n in range(number):
        for m in range(lower.shape[2]):
            stage = start + m
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias = third[stage], third_bias[stage]
            for p in range(positions):
                _first(sums[n, p], symbols[n, p], stage, table, bias, total, active)
                _others(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _normalize(logits, below, powers, frequencies)
                index, sum_below = symbols[n, p, stage], np.int32(0)
                for k in range(index):
                    sum_below += np.int32(frequencies[k]) + np.int32(1)
                lower[n, p, m] = sum_below
                width[n, p, m] = np.int32(frequencies[index]) + np.int32(1)


@compiled  # not freely: plain code rounds in the same way
def _rdo_quantize(  # type: ignore[no-untyped-def]
    sums, symbols, subvectors, codebooks, unit, largest_deficit, own, first_bias, second, second_bias, third, third_bias
):
    number, positions, features = sums.shape
    stages, dim, size = codebooks.shape
    inner = second_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below = np.empty(size, np.int32)
    for n in range(number):
        for stage in range(stages):  # one after the other, so that its tables stay in the cache
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias, codebook = third[stage], third_bias[stage], codebooks[stage]
            for p in range(positions):
                _first(sums[n, p], symbols[n, p], stage, table, bias, total, active)
                _others(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _deficits(logits, below)
                for k in range(size):
                    logits[k] = unit * np.float32(min(below[k], largest_deficit))
                for i in range(dim):
                    value = subvectors[n, p, stage, i]
                    for k in range(size):
                        difference = codebook[i, k] - value
                        logits[k] += difference * difference
                symbols[n, p, stage] = _least(logits)


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
def _first(sums, symbols, stage, own, bias, total, active):  # type: ignore[no-untyped-def]
    """The activations of the first layer."""
    for f in range(len(sums)):
        total[f] = sums[f] + bias[f]
    for m in range(stage):
        index = symbols[m]
        for f in range(len(sums)):
            total[f] += own[m, index, f]
    for f in range(len(sums)):
        active[f] = np.float32(min(max(total[f] >> FIRST_SHIFT, ZERO), LARGEST_ACTIVATION))


@compiled
def _others(active, where, second, second_bias, hidden, third, third_bias, logits):  # type: ignore[no-untyped-def]
    """The logits from the activations of the first layer, before their shift."""
    _layer(active, where, second, second_bias, hidden)
    for h in range(len(hidden)):
        active[h] = np.float32(min(max(np.int32(hidden[h]) >> SECOND_SHIFT, ZERO), LARGEST_ACTIVATION))
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
def _deficits(logits, below):  # type: ignore[no-untyped-def]
    """How far each logit is below the largest, in 32nds of a bit, at most as far as the powers go."""
    top = np.int32(-(1 << 30))
    for k in range(len(logits)):
        below[k] = np.int32(logits[k]) >> THIRD_SHIFT
        top = max(top, below[k])
    for k in range(len(logits)):
        below[k] = min(top - below[k], LAST_POWER)


@compiled_freely
def _normalize(logits, below, powers, frequencies):  # type: ignore[no-untyped-def]
    """Frequencies in proportion to 2^(logit / 32): `to_frequencies` of the powers, in float64, which is exact.

    A weight is at most 2^16 and the factor below 2^28, as the largest weight is 2^16.
    """
    size = len(logits)
    _deficits(logits, below)
    floor = powers[0] // (MAX_PROBABILITY_RATIO * (size - 1)) + 1
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
