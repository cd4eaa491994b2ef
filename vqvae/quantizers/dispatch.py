"""Chooses between the compiled searches of `kernels.py` and plain PyTorch, which find the same indices."""

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from vqvae.backend.dispatch import import_compiled, prefers_plain


def kernels_for(x: Tensor) -> ModuleType | None:
    """The compiled searches, or None where x is not float32 on a CPU, or Numba is missing or not worth importing."""
    fits = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.compiler.is_compiling()
    return _load() if fits and not prefers_plain() else None


@cache
def _load() -> ModuleType | None:
    slower = "searches run in plain PyTorch, 10 to 100 times slower on a CPU"
    return import_compiled("vqvae.quantizers.kernels", slower)
