"""A reusable buffer for the distances of a search, and how large it may be."""

from math import prod
from threading import local

import torch
from jaxtyping import Float32
from torch import Tensor

WORKSPACE_FLOATS = {"cpu": 2**21}  # 8 MiB, which stay in the caches of a CPU, ...
DEFAULT_WORKSPACE_FLOATS = 2**26  # ... and 256 MiB, which keep a GPU busy

_thread = local()


def workspace_floats(x: Tensor) -> int:
    """Number of float32 that a search may hold at a time on the device of x."""
    return WORKSPACE_FLOATS.get(x.device.type, DEFAULT_WORKSPACE_FLOATS)


def workspace(*shape: int, like: Tensor) -> Float32[Tensor, "..."]:
    """Returns a reusable buffer, valid until the next call; on a CPU, allocating costs as much as the search.

    Args:
        shape: the shape of the buffer.
        like: a tensor on the same device.
    """
    if torch.compiler.is_compiling():
        return like.new_empty(shape, dtype=torch.float32)
    number = prod(shape)
    if like.device.type != "cpu" or number > workspace_floats(like):
        return like.new_empty(shape, dtype=torch.float32)
    buffer: Tensor | None = getattr(_thread, "buffer", None)
    if buffer is None or len(buffer) < number:
        with torch.inference_mode(False):  # a tensor made in inference mode cannot be written to outside it
            buffer = _thread.buffer = torch.empty(workspace_floats(like), dtype=torch.float32)
    return buffer[:number].view(shape)
