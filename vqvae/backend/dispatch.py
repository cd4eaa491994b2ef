"""Dispatch between compiled and plain code. Each compiled kernel has a plain counterpart with the same results.

Importing Numba takes most of a second, in which plain code codes a small image: a program that may do no more than that
starts with plain code.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType

from vqvae.errors import reason_of

MIN_VECTORS_FOR_NUMBA = 1024
"""Number of vectors that take plain code as long as importing Numba takes."""

_plain: ContextVar[bool] = ContextVar("plain", default=False)


def prefers_plain() -> bool:
    """Whether plain code should be used here, in this thread."""
    return _plain.get()


def import_compiled(module: str, otherwise: str) -> ModuleType | None:
    """A module of compiled kernels; None, with a warning, if Numba cannot be imported.

    Args:
        module: the module's name.
        otherwise: the consequence, for the warning.
    """
    try:
        return import_module(module)
    except Exception as error:  # a broken installation raises anything: plain code still works
        warnings.warn(f"Numba cannot be imported ({reason_of(error)}): {otherwise}", RuntimeWarning, stacklevel=3)
        return None


class Backend(ABC):
    """Chooses, for each call of a codec, between compiled and plain code."""

    @abstractmethod
    def use_compiled(self, vectors: int) -> bool:
        """Whether to use compiled code for coding this number of vectors."""

    @contextmanager
    def coding(self, vectors: int) -> Iterator[None]:
        """Applies the choice to all code called within."""
        token = _plain.set(not self.use_compiled(vectors))
        try:
            yield
        finally:
            _plain.reset(token)


class Compiled(Backend):
    """Compiled code, if Numba is installed."""

    def use_compiled(self, vectors: int) -> bool:
        return True


class Plain(Backend):
    """Plain code."""

    def use_compiled(self, vectors: int) -> bool:
        return False


class CompiledLater(Backend):
    """Plain code for the first vectors, then compiled code.

    Args:
        vectors: number of vectors after which importing Numba pays off.
    """

    def __init__(self, vectors: int = MIN_VECTORS_FOR_NUMBA):
        self._left = vectors

    def use_compiled(self, vectors: int) -> bool:
        self._left = max(0, self._left - vectors)
        return self._left == 0
