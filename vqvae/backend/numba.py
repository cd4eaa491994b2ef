"""Compilation by Numba. Modules that import this one are imported only if Numba is installed."""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function as machine code, cached on disk, without the GIL."""
    plain = unwrap(function)  # of the wrapper of a run-time type checker
    try:
        return numba.njit(nogil=True, cache=True, **options)(plain)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(nogil=True, **options)(plain)


def compiled_freely(function: Callable[..., Any]) -> Callable[..., Any]:
    """Likewise, with fused operations in any order, for code whose last bit does not matter or that does not round.
    There must be no NaN.
    """
    return compiled(function, fastmath={"contract", "reassoc", "nnan", "nsz"})


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, inlined into compiled functions that call it."""
    return numba.njit(inline="always")(unwrap(function))
