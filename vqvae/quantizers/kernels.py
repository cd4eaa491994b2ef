"""The searches on a CPU, compiled by Numba; `compiled.py` says when they are used instead of plain PyTorch.

Rows of costs are read in blocks: a block without a cost below the worst that is still wanted, as nearly all are, is
passed over in a few vector instructions. None of this needs fast-math: costs add up in one order on every machine.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.backend.numba import compiled, inlined
from vqvae.backend.threads import in_threads
from vqvae.quantizers.beam_search import UNUSED

BLOCK = 128
FEW = 32  # vectors that are not worth a thread of their own
INF = np.float32(np.inf)


def find_least(costs: Float[Tensor, "M K n"]) -> Int64[Tensor, "n M"]:
    """The index of the least cost of each vector in each codebook."""
    least = torch.empty(costs.shape[2], costs.shape[0], dtype=torch.int64)
    _find_least(costs.numpy(), least.numpy())
    return least


def search(
    single: Float[Tensor, "n M K"], pair: Float[Tensor, "M K M K"], beam: int, ordered: bool
) -> tuple[Int64[Tensor, "n M"], Float[Tensor, " n"]]:
    """Beam search through the codebooks in their order, or in any, without a set twice: indices and costs."""
    paths, costs = torch.empty(single.shape[:2], dtype=torch.int64), torch.empty(len(single))
    _in_threads(_search, len(single), _blocks(single), _blocks(pair), beam, ordered, paths.numpy(), costs.numpy())
    return paths, costs


def refine(
    single: Float[Tensor, "n M K"], pair: Float[Tensor, "M K M K"], indices: Int64[Tensor, "n M"], rounds: int
) -> Int64[Tensor, "n M"]:
    """Chooses one codeword after another anew, the others as they are, as long as that lowers the cost."""
    paths = indices.clone()
    _in_threads(_refine, len(single), _blocks(single), _blocks(pair), rounds, paths.numpy())
    return paths


def _blocks(costs: Tensor) -> np.ndarray:
    """(…, K) as (…, K / block, block)."""
    return costs.detach().contiguous().unflatten(-1, (-1, min(BLOCK, costs.shape[-1]))).numpy()


def _in_threads(kernel: Callable[..., None], rows: int, *arguments: Any) -> None:
    """Runs a kernel on all vectors, in as many threads as PyTorch uses."""
    threads = max(1, min(torch.get_num_threads(), rows // FEW))
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
def _find_least(costs, least):  # type: ignore[no-untyped-def]
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
    """Puts a candidate where it belongs in the sorted list, from `place` down."""
    while place > 0 and costs[place - 1] > cost:
        costs[place], steps[place], numbers[place] = costs[place - 1], steps[place - 1], numbers[place - 1]
        place -= 1
    costs[place], steps[place], numbers[place] = cost, step, number


@compiled
def _offer(costs, steps, numbers, filled, keep, cost, step, number, ordered):  # type: ignore[no-untyped-def]
    """Takes a candidate into the list, if it is not there already for less; returns how many the list holds."""
    same = filled if ordered else 0  # in order, no set comes twice
    while same < filled and numbers[same] != number:
        same += 1
    if same == filled:
        filled = min(filled + 1, keep)
        same = filled - 1
    elif costs[same] <= cost:
        return filled
    _insert(costs, steps, numbers, same, cost, step, number)  # over the worst of all, or over the dearer of two alike
    return filled


@compiled
def _grow(paths, steps, filled, grown):  # type: ignore[no-untyped-def]
    """The paths of the list, each its parent's with one codeword more."""
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
    # A set's number: its codewords as digits to the base K + 1. Past 64 bits it wraps; a clash costs one candidate
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
            if filled == 0:  # no cost is below infinity: nothing that could be searched for
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
