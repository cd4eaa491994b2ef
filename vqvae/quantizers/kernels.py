"""The searches on a CPU, compiled by Numba; `dispatch.py` chooses between them and plain PyTorch.

Rows of costs are read in blocks: a block without a cost below the worst that is still kept, as most are, is skipped in
a few vector instructions. None of this needs fast-math: costs are added in one order on every machine.

Constants of kernels stand in this file: Numba's disk cache does not notice changes to those of other files.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vqvae.backend.numba import compiled, inlined
from vqvae.backend.threads import in_threads

BLOCK = 128
MIN_VECTORS_PER_THREAD = 32
UNUSED = -1  # in a path: no codeword chosen yet in this codebook
INF = np.float32(np.inf)


def argmin(distances: Float32[Tensor, "M K n"]) -> Int64[Tensor, "n M"]:
    """The index of the least distance of each vector in each codebook."""
    least = torch.empty(distances.shape[2], distances.shape[0], dtype=torch.int64)
    _argmin(distances.numpy(), least.numpy())
    return least


def search(
    single: Float32[Tensor, "n M K"], pair: Float32[Tensor, "M K M K"], beam: int, ordered: bool
) -> tuple[Int64[Tensor, "n M"], Float32[Tensor, " n"]]:
    """Beam search through the codebooks in order, or in any order over distinct sets: indices and costs."""
    paths = torch.empty(single.shape[:2], dtype=torch.int64)
    costs = torch.empty(len(single), dtype=torch.float32)
    _in_threads(_search, len(single), _blocks(single), _blocks(pair), beam, ordered, paths.numpy(), costs.numpy())
    return paths, costs


def refine(
    single: Float32[Tensor, "n M K"], pair: Float32[Tensor, "M K M K"], indices: Int64[Tensor, "n M"], rounds: int
) -> Int64[Tensor, "n M"]:
    """Local search: chooses one codeword after another again, given the others, while that lowers the cost."""
    paths = indices.clone()
    _in_threads(_refine, len(single), _blocks(single), _blocks(pair), rounds, paths.numpy())
    return paths


def missing_codewords(size: int) -> int:
    """How many codewords must be added to a codebook so that it is read in whole blocks."""
    return -size % BLOCK if size > BLOCK else 0


def _blocks(costs: Tensor) -> np.ndarray:
    """(…, K) as (…, K / block, block)."""
    return costs.detach().contiguous().unflatten(-1, (-1, min(BLOCK, costs.shape[-1]))).numpy()


def _in_threads(kernel: Callable[..., None], rows: int, *arguments: Any) -> None:
    """Runs a kernel on all vectors, in as many threads as PyTorch uses."""
    threads = max(1, min(torch.get_num_threads(), rows // MIN_VECTORS_PER_THREAD))
    cuts = [rows * piece // threads for piece in range(threads + 1)]
    in_threads(kernel, [(*arguments, *cut) for cut in pairwise(cuts)])


@inlined
def _add_up(total, base, single, pair, paths, parent, i, m, b):  # type: ignore[no-untyped-def]
    """The costs of a path with each codeword of block b of codebook m added."""
    # By index, not by slice: Numba counts references to slices
    for t in range(total.shape[0]):
        total[t] = base + single[i, m, b, t]
    for j in range(paths.shape[1]):
        k = paths[parent, j]
        if k != UNUSED:
            for t in range(total.shape[0]):
                total[t] += pair[j, k, m, b, t]


@inlined
def _any_below(costs, limit):  # type: ignore[no-untyped-def]
    hits = 0
    for t in range(costs.shape[0]):
        hits |= costs[t] < limit
    return hits


@compiled
def _argmin(costs, least):  # type: ignore[no-untyped-def]
    stages, size, number = costs.shape
    best, at = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    for m in range(stages):
        for first in range(0, number, BLOCK):
            width = min(BLOCK, number - first)
            for t in range(width):
                best[t], at[t] = costs[m, 0, first + t], 0
            for k in range(1, size):
                row = costs[m, k, first : first + width]
                for t in range(width):  # many vectors at once, without a branch
                    lower = row[t] < best[t]
                    best[t] = row[t] if lower else best[t]
                    at[t] = k if lower else at[t]
            for t in range(width):
                least[first + t, m] = at[t]


@compiled
def _insert(costs, steps, numbers, place, cost, step, number):  # type: ignore[no-untyped-def]
    """Inserts a candidate into the sorted list, at `place` or before."""
    while place > 0 and costs[place - 1] > cost:
        costs[place], steps[place], numbers[place] = costs[place - 1], steps[place - 1], numbers[place - 1]
        place -= 1
    costs[place], steps[place], numbers[place] = cost, step, number


@compiled
def _offer(costs, steps, numbers, filled, keep, cost, step, number, ordered):  # type: ignore[no-untyped-def]
    """Inserts a candidate unless its set is in the list at a lower cost; returns the length of the list."""
    same = filled if ordered else 0  # in order, no set occurs twice
    while same < filled and numbers[same] != number:
        same += 1
    if same == filled:
        filled = min(filled + 1, keep)
        same = filled - 1
    elif costs[same] <= cost:
        return filled
    _insert(costs, steps, numbers, same, cost, step, number)  # replaces the worst, or the same set at a higher cost
    return filled


@compiled
def _grow(paths, steps, filled, grown):  # type: ignore[no-untyped-def]
    """The paths of the list: each its parent's plus one codeword."""
    for p in range(filled):
        parent, m, k = steps[p] >> 48, steps[p] >> 32 & 0xFFFF, steps[p] & 0xFFFFFFFF
        for j in range(paths.shape[1]):
            grown[p, j] = paths[parent, j]
        grown[p, m] = k


@compiled
def _search(single, pair, beam, ordered, chosen, least, first, last):  # type: ignore[no-untyped-def]
    stages, blocks, block = single.shape[1:]
    total, base, costs = np.empty(block, np.float32), np.empty(beam, np.float32), np.empty(beam, np.float32)
    steps = np.empty(beam, np.int64)  # parent, codebook and codeword in one number
    # A set's number has its codewords as digits to base K + 1. Past 64 bits it wraps; a clash drops one candidate
    sets, numbers = np.empty(beam, np.int64), np.empty(beam, np.int64)
    paths, grown = np.empty((beam, stages), np.int64), np.empty((beam, stages), np.int64)
    for i in range(first, last):
        width = 1
        base[0], sets[0] = 0, 0
        paths[0] = UNUSED
        for step in range(stages):
            keep = beam if step < stages - 1 else 1
            filled, worst = 0, INF
            for parent in range(width):
                for m in range(stages):
                    if paths[parent, m] != UNUSED or (ordered and m != step):
                        continue
                    place = 1
                    for _ in range(m):
                        place *= blocks * block + 1
                    for b in range(blocks):
                        _add_up(total, base[parent], single, pair, paths, parent, i, m, b)
                        if _any_below(total, worst):
                            for t in range(block):
                                if total[t] < worst:
                                    k = b * block + t
                                    choice = parent << 48 | m << 32 | k
                                    number = sets[parent] + (k + 1) * place
                                    filled = _offer(
                                        costs, steps, numbers, filled, keep, total[t], choice, number, ordered
                                    )
                                    if filled == keep:
                                        worst = costs[keep - 1]
            if filled == 0:  # no cost is below infinity: x is not finite
                break
            _grow(paths, steps, filled, grown)
            paths, grown = grown, paths
            base, costs = costs, base
            sets, numbers = numbers, sets
            width = filled
        chosen[i], least[i] = np.maximum(paths[0], 0), base[0]


@compiled
def _refine(single, pair, rounds, chosen, first, last):  # type: ignore[no-untyped-def]
    stages, blocks, block = single.shape[1:]
    total = np.empty(block, np.float32)
    for i in range(first, last):
        unchanged, turns = 0, 0
        while unchanged < stages and turns < rounds * stages:
            m = turns % stages
            before = chosen[i, m]
            chosen[i, m] = UNUSED
            _add_up(total, 0, single, pair, chosen, i, i, m, before // block)
            best, at = total[before % block], before
            for b in range(blocks):
                _add_up(total, 0, single, pair, chosen, i, i, m, b)
                if _any_below(total, best):
                    for t in range(block):
                        if total[t] < best:
                            best, at = total[t], b * block + t
            chosen[i, m] = at
            unchanged = unchanged + 1 if at == before else 0
            turns += 1
