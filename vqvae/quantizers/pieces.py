"""Searches cut into pieces, so that memory stays bounded and caches are used."""

from collections.abc import Callable
from math import prod
from threading import local

import torch
from jaxtyping import Float, Int64
from torch import Tensor

WORKSPACE = {"cpu": 2**21}  # floats that a search holds at a time: 8 MiB, which stay in the caches of a CPU, ...
DEFAULT_WORKSPACE = 2**26  # ... and 256 MiB, which keep a GPU busy

_held = local()


def search_in_pieces(search: Callable[[Tensor], Tensor], x: Float[Tensor, "n D"], floats: int) -> Int64[Tensor, "n M"]:
    """Searches for some of the vectors at a time, and puts the indices together.

    Args:
        search: finds the indices of a few vectors.
        x: all vectors.
        floats: how many float32 `search` holds for each vector.
    """
    pieces = x.split(max(1, _workspace(x) // floats))
    first = search(pieces[0])
    indices = first.new_empty(len(x), first.shape[1])
    indices[: len(first)] = first
    for number, piece in enumerate(pieces[1:], start=1):
        start = number * len(first)
        indices[start : start + len(piece)] = search(piece)
    return indices


def scratch(*shape: int, like: Tensor) -> Float[Tensor, "..."]:
    """Memory for the costs of one piece, gone at the next call: on a CPU, fresh memory takes as long as the search.

    Args:
        shape: its shape.
        like: a tensor on the same device.
    """
    number = prod(shape)
    if like.device.type != "cpu" or number > _workspace(like):
        return like.new_empty(shape)
    held: Tensor | None = getattr(_held, "floats", None)
    if held is None or len(held) < number:
        with torch.inference_mode(False):  # what is made in inference mode cannot be written to outside it
            held = _held.floats = torch.empty(_workspace(like))
    return held[:number].view(shape)


def _workspace(x: Tensor) -> int:
    return WORKSPACE.get(x.device.type, DEFAULT_WORKSPACE)
