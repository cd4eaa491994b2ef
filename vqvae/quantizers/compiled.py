"""Whether the compiled searches of `kernels.py` can be used; each has plain PyTorch beside it that finds the same."""

from functools import cache
from types import ModuleType

import torch
from torch import Tensor


def kernels_for(x: Tensor) -> ModuleType | None:
    """The compiled searches, or None where x is not in a CPU's memory, or Numba is not there."""
    plain = x.device.type != "cpu" or x.dtype != torch.float32 or torch.compiler.is_compiling()
    return None if plain else _load()


@cache
def _load() -> ModuleType | None:
    try:
        from vqvae.quantizers import kernels
    except ImportError:
        return None
    return kernels
