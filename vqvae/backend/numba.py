"""Functions compiled by Numba. Modules that import this one are only imported where Numba is there."""

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function as machine code, kept on disk after its first use, without Python's global lock."""
    plain = unwrap(function)  # from what a type checker may have put around it
    try:
        return numba.njit(nogil=True, cache=True, **options)(plain)
    except RuntimeError:  # there is no folder that a cache could be written to
        return numba.njit(nogil=True, **options)(plain)


def compiled_freely(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same where the last bit does not matter, or nothing is rounded: a product and a sum may become one
    operation, in any order. There must be no NaN.
    """
    return compiled(function, fastmath={"contract", "reassoc", "nnan", "nsz"})


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a part of the compiled ones that call it."""
    return numba.njit(inline="always")(unwrap(function))
