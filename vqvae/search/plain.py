"""The search in plain PyTorch, on any device; `kernels.py` finds the same on CPUs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from vqvae.search.result import SearchResult

CHUNK = 2**15  # vectors whose distances are in memory at a time


def search(
    tables: Sequence[Float[Tensor, "M K _"]], codes: Integer[Tensor, "n M"], norms: Float[Tensor, " n"] | None, k: int
) -> SearchResult:
    """The k nearest vectors of each query.

    Args:
        tables: contribution of each index to the distance from each query, for blocks of queries.
        codes: the indices of the vectors.
        norms: added to the distance of each vector.
        k: number of vectors to find.
    """
    found = [_search(block, codes, norms, k) for block in tables]
    return SearchResult(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _search(tables: Tensor, codes: Tensor, norms: Tensor | None, k: int) -> SearchResult:
    queries = tables.shape[2]
    distances = tables.new_full((queries, k), torch.inf)
    ids = torch.full((queries, k), -1, device=tables.device)
    for start in range(0, len(codes), CHUNK):
        chunk = codes[start : start + CHUNK].long()
        sums = torch.zeros((), dtype=torch.float32) if norms is None else norms[start : start + CHUNK].unsqueeze(1)
        for table, index in zip(tables, chunk.T, strict=True):
            sums = sums + table.index_select(0, index)
        numbers = torch.arange(start, start + len(chunk), device=tables.device).expand(queries, -1)
        distances, places = torch.cat([distances, sums.T.nan_to_num(torch.inf, posinf=torch.inf)], dim=1).topk(
            k, largest=False
        )
        ids = torch.cat([ids, numbers], dim=1).gather(1, places)
    return SearchResult(distances, ids.masked_fill(distances.isinf(), -1))
