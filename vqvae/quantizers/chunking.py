"""Searches chunk by chunk, so that memory stays bounded and caches are used."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vqvae.quantizers.workspace import workspace_floats


class Search(NamedTuple):
    """A search with its tables computed.

    Attributes:
        find: returns the indices of a chunk of vectors.
        floats: number of float32 that `find` holds for each vector.
    """

    find: Callable[[Tensor], Tensor]
    floats: int


def search_in_chunks(search: Search, x: Float32[Tensor, "n D"]) -> Int64[Tensor, "n m"]:
    """Returns the indices of all vectors."""
    if torch.compiler.is_compiling():  # the number of chunks would depend on the number of vectors
        return search.find(x)
    chunks = x.split(max(1, workspace_floats(x) // search.floats))
    first = search.find(chunks[0])
    indices = first.new_empty(len(x), first.shape[1])
    indices[: len(first)] = first
    for number, chunk in enumerate(chunks[1:], start=1):
        start = number * len(first)
        indices[start : start + len(chunk)] = search.find(chunk)
    return indices
