"""Whether the compiled searches of `kernels.py` can be used; each has plain PyTorch beside it that finds the same."""

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from vqvae.backend.dispatch import prefers_plain


def kernels_for(x: Tensor) -> ModuleType | None:
    """The compiled searches, or None where x is not in a CPU's memory, Numba is not there or not worth its loading."""
    fits = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.compiler.is_compiling()
    return _load() if fits and not prefers_plain() else None


@cache
def _load() -> ModuleType | None:
    try:
        from vqvae.quantizers import kernels
    except ImportError:
        return None
    return kernels
