"""What `compiled_network.py` computes with Numba: the same integers as in `network.py`.

All in one file, since machine code is cached on disk until the file of the function that was called changes.
"""

import numpy as np

from vqvae.backend.numba import compiled, compiled_freely

# The constants of network.py and range_coder.py once more: machine code is cached on disk until this file changes, so a
# constant from another file could become stale. In 32 bits, so that the kernels are vectorised.
FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = np.int32(9), np.int32(7), np.int32(4)
ZERO, LARGEST_ACTIVATION, LAST_POWER = np.int32(0), np.int32(255), np.int32(511)
PRECISION, MAX_PROBABILITY_RATIO = 24, 256
WORD = np.uint64(32)  # bits of a word of the payload


@compiled
def context_sums(grid, positions, offsets, rows, sums):  # type: ignore[no-untyped-def]
    """As `Network.context_sums` has them."""
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
def intervals(  # type: ignore[no-untyped-def]
    sums, symbols, lower, width, start, powers, own, first_bias, second, second_bias, third, third_bias
):
    """As `Network.intervals` has them."""
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
                _first_layer(sums[n, p], symbols[n, p], stage, table, bias, total, active)
                _other_layers(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _normalize(logits, below, powers, frequencies)
                index, sum_below = symbols[n, p, stage], np.int32(0)
                for k in range(index):
                    sum_below += np.int32(frequencies[k]) + np.int32(1)
                lower[n, p, m] = sum_below
                width[n, p, m] = np.int32(frequencies[index]) + np.int32(1)


@compiled  # not freely: plain code rounds in the same way
def rdo_quantize(  # type: ignore[no-untyped-def]
    sums,
    symbols,
    subvectors,
    codebooks,
    costs,
    unit,
    largest_deficit,
    own,
    first_bias,
    second,
    second_bias,
    third,
    third_bias,
):
    """As `Network.rdo_quantize` has it; stage by stage, so that its tables stay in the cache."""
    number, positions, features = sums.shape
    stages, dim, size = codebooks.shape
    inner = second_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below = np.empty(size, np.int32)
    for n in range(number):
        for stage in range(stages):
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias, codebook = third[stage], third_bias[stage], codebooks[stage]
            for p in range(positions):
                _first_layer(sums[n, p], symbols[n, p], stage, table, bias, total, active)
                _other_layers(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _deficits(logits, below)
                for k in range(size):
                    logits[k] = unit * np.float32(min(below[k], largest_deficit)) + costs[stage, k]
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
def decode_fronts(  # type: ignore[no-untyped-def]
    words,
    coder,
    grid,
    positions,
    lengths,
    start,
    stop,
    added,
    intervals,
    offsets,
    rows,
    powers,
    own,
    first_bias,
    second,
    second_bias,
    third,
    third_bias,
):
    """Decodes some wavefronts of an image. If the payload is not one of such indices, the coder's width becomes 0.

    Besides the tables it takes

        words: the payload in 32 bits each.
        coder: low, width and value of the range coder, as docs/format.md has them, and the number of words read.
        grid: of one image, (1, H W, M), with its border; the indices are filled in.
        positions: of all wavefronts in the grid.
        lengths: of each wavefront.
        start: the first stage that is decoded.
        stop: the stage after the last one.
        added: what conditions add to the first layer at these positions.
        intervals: (2, n) takes cumulative frequency and frequency of each index, in the order of the payload.
    """
    features, inner, size = rows.shape[3], second_bias.shape[1], third_bias.shape[1]
    total, hidden, logits = np.empty(features, np.int32), np.empty(inner, np.float32), np.empty(size, np.float32)
    active, where = np.empty(max(features, inner) + 1, np.float32), np.empty(max(features, inner) + 8, np.int64)
    below, frequencies = np.empty(size, np.int32), np.empty(size, np.float32)
    sums = np.empty((1, lengths.max(), features), np.int32)
    first, coded = 0, 0
    for length in lengths:
        front = positions[first : first + length]
        context_sums(grid, front, offsets, rows, sums[:, :length])
        sums[0, :length] += added[first : first + length]
        for stage in range(start, stop):
            table, bias, middle, middle_bias = own[stage], first_bias[stage], second[stage], second_bias[stage]
            last, last_bias = third[stage], third_bias[stage]
            for p in range(length):
                symbols = grid[0, front[p]]
                _first_layer(sums[0, p], symbols, stage, table, bias, total, active)
                _other_layers(active, where, middle, middle_bias, hidden, last, last_bias, logits)
                _normalize(logits, below, powers, frequencies)
                symbol = _decode_symbol(words, coder, frequencies, intervals[:, coded])
                if symbol < 0:
                    coder[1] = 0
                    return
                symbols[stage] = symbol
                coded += 1
        first += length


@compiled
def _decode_symbol(words, coder, frequencies, interval):  # type: ignore[no-untyped-def]
    """The next symbol; -1 where there is none of this value. Frequencies are less 1."""
    step = coder[1] >> np.uint64(PRECISION)
    quantile = (coder[2] - coder[0]) // step
    if quantile >> np.uint64(PRECISION):
        return -1
    below, symbol, wanted = np.int32(0), 0, np.int32(quantile)
    freq = np.int32(frequencies[0]) + np.int32(1)
    while below + freq <= wanted:
        below += freq
        symbol += 1
        freq = np.int32(frequencies[symbol]) + np.int32(1)
    interval[0], interval[1] = below, freq
    coder[0] += step * np.uint64(below)
    coder[1] = step * np.uint64(freq)
    if not coder[1] >> WORD:
        coder[0] <<= WORD
        coder[1] <<= WORD
        read = np.int64(coder[3])
        word = words[read] if read < len(words) else np.uint32(0)
        coder[2] = coder[2] << WORD | np.uint64(word)
        coder[3] += np.uint64(1)
    return symbol


@compiled
def _first_layer(sums, symbols, stage, own, bias, total, active):  # type: ignore[no-untyped-def]
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
def _other_layers(active, where, second, second_bias, hidden, third, third_bias, logits):  # type: ignore[no-untyped-def]
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
