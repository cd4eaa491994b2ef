"""Whether compiled or plain code computes. Beside each compiled kernel stands plain code that gives the same result.

Importing Numba takes most of a second, in which plain code has coded a small image: a program that may have no more to
do than that starts with plain code.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MIN_VECTORS_FOR_NUMBA = 1024
"""Vectors whose coding takes as long with plain code as importing Numba."""

_plain: ContextVar[bool] = ContextVar("plain", default=False)


def prefers_plain() -> bool:
    """Whether plain code should be used here, in this thread."""
    return _plain.get()


class Backend(ABC):
    """Chooses, for each call of a codec, between compiled and plain code."""

    @abstractmethod
    def use_compiled(self, vectors: int) -> bool:
        """Whether compiled code should be used for this number of vectors, which are going to be coded."""

    @contextmanager
    def coding(self, vectors: int) -> Iterator[None]:
        """Applies the choice to all that is called within."""
        token = _plain.set(not self.use_compiled(vectors))
        try:
            yield
        finally:
            _plain.reset(token)


class Compiled(Backend):
    """Compiled code, wherever Numba is installed."""

    def use_compiled(self, vectors: int) -> bool:
        return True


class Plain(Backend):
    """Plain code."""

    def use_compiled(self, vectors: int) -> bool:
        return False


class CompiledLater(Backend):
    """Compiled code, but only once as many vectors have been coded as make up for importing Numba.

    Args:
        vectors: that number.
    """

    def __init__(self, vectors: int = MIN_VECTORS_FOR_NUMBA):
        self._left = vectors

    def use_compiled(self, vectors: int) -> bool:
        self._left = max(0, self._left - vectors)
        return self._left == 0
