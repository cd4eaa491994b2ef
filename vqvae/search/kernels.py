"""The search on a CPU, compiled by Numba; `plain.py` is the same in PyTorch.

A block of queries scans the codes together: a vector's indices choose rows of the tables, and a row has a number for
each query, so that rows are added by vector instructions without gathering. A candidate is one 64-bit
number, its distance above its id: such numbers sort by distance, and by id where distances are equal.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from vqvae.backend.numba import compiled, inlined
from vqvae.backend.threads import in_threads
from vqvae.search.result import SearchResult

MAX_SCALAR_QUERIES = 4  # for which rows are too short for vector instructions
INF = np.float32(np.inf)
MISSING = np.int64(0x7F800000FFFFFFFF)  # an infinite distance, above an id that no vector has


def search(
    tables: Sequence[Float[Tensor, "M K _"]], codes: Integer[Tensor, "n M"], norms: Float[Tensor, " n"] | None, k: int
) -> SearchResult:
    """The k nearest vectors of each query; arguments as in `plain.search`."""
    candidates = np.full((sum(block.shape[2] for block in tables), k), MISSING)
    blocks = np.split(candidates, np.cumsum([block.shape[2] for block in tables])[:-1])
    offsets = torch.empty(0, dtype=torch.float32) if norms is None else norms
    in_threads(
        _search,
        [
            (block.contiguous().numpy(), codes.numpy(), offsets.numpy(), nearest)
            for block, nearest in zip(tables, blocks, strict=True)
        ],
    )
    candidates.sort(axis=1)
    distances = ordered(candidates >> 32).astype(np.int32).view(np.float32)
    ids = np.where(np.isinf(distances), -1, candidates & 0xFFFFFFFF)
    return SearchResult(torch.from_numpy(distances), torch.from_numpy(ids))


def ordered(bits: Any) -> Any:
    """Maps the bits of a float32 to an integer with the same order as the numbers, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


_ordered = inlined(ordered)


@compiled
def _select(candidates, t, count, k):  # type: ignore[no-untyped-def]
    """Moves the k smallest of a query's candidates to the front, the k-th smallest last: Hoare's quickselect."""
    first, last = 0, count - 1
    while first < last:
        a, b, c = candidates[t, first], candidates[t, (first + last) >> 1], candidates[t, last]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = first, last
        while i <= j:
            while candidates[t, i] < pivot:
                i += 1
            while candidates[t, j] > pivot:
                j -= 1
            if i <= j:
                candidates[t, i], candidates[t, j] = candidates[t, j], candidates[t, i]
                i += 1
                j -= 1
        if k - 1 <= j:
            last = j
        elif k - 1 >= i:
            first = i
        else:
            return


@inlined
def _sum(tables, codes, i, t, base):  # type: ignore[no-untyped-def]
    """The distance of vector i from query t."""
    total, m = base, 0
    while m + 4 <= codes.shape[1]:
        total += (tables[m, codes[i, m], t] + tables[m + 1, codes[i, m + 1], t]) + (
            tables[m + 2, codes[i, m + 2], t] + tables[m + 3, codes[i, m + 3], t]
        )
        m += 4
    while m < codes.shape[1]:
        total += tables[m, codes[i, m], t]
        m += 1
    return total


@inlined
def _add_rows(tables, codes, i, base, sums):  # type: ignore[no-untyped-def]
    """The distances of vector i from all queries, added up in the same order."""
    for t in range(len(sums)):
        sums[t] = base
    m = 0
    while m + 4 <= codes.shape[1]:  # four at once: a quarter of the passes over the sums
        a, b, c, d = codes[i, m], codes[i, m + 1], codes[i, m + 2], codes[i, m + 3]
        for t in range(len(sums)):
            sums[t] += (tables[m, a, t] + tables[m + 1, b, t]) + (tables[m + 2, c, t] + tables[m + 3, d, t])
        m += 4
    while m < codes.shape[1]:
        a = codes[i, m]
        for t in range(len(sums)):
            sums[t] += tables[m, a, t]
        m += 1


@compiled
def _search(tables, codes, norms, nearest):  # type: ignore[no-untyped-def]
    number, queries = len(codes), tables.shape[2]
    k = min(nearest.shape[1], number)
    room = min(number, k + max(k, 64))  # candidates are collected unsorted, and all but k dropped when it is full
    candidates, counts = np.empty((queries, room), np.int64), np.zeros(queries, np.int64)
    sums, limits = np.empty(queries, np.float32), np.full(queries, INF)
    sum_bits, limit_bits = sums.view(np.int32), limits.view(np.int32)
    for i in range(number):
        base = norms[i] if len(norms) else np.float32(0)
        if queries <= MAX_SCALAR_QUERIES:
            for t in range(queries):
                sums[t] = _sum(tables, codes, i, t, base)
        else:
            _add_rows(tables, codes, i, base, sums)
        hits = False
        for t in range(queries):
            hits |= sums[t] < limits[t]
        if hits:
            for t in range(queries):
                if sums[t] < limits[t]:
                    candidates[t, counts[t]] = np.int64(_ordered(sum_bits[t])) << 32 | i
                    counts[t] += 1
                    if counts[t] == room:
                        _select(candidates, t, room, k)
                        counts[t] = k
                        limit_bits[t] = _ordered(np.int32(candidates[t, k - 1] >> 32))
    for t in range(queries):
        _select(candidates, t, counts[t], k)
        for j in range(min(k, counts[t])):
            nearest[t, j] = candidates[t, j]
