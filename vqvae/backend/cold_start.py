"""Whether compiled code is worth its loading.

Beside each compiled piece stands a plain one that finds the same. Importing Numba takes most of a second, in which the
plain code has coded a small image: a program that may have no more to do than that begins with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

ENOUGH = 1024
"""Vectors whose coding takes as long plainly as loading what is compiled."""

_left = 0


@contextmanager
def cold_start() -> Iterator[None]:
    """Within, nothing compiled is loaded before `ENOUGH` vectors are there to be coded."""
    global _left
    _left = ENOUGH
    try:
        yield
    finally:
        _left = 0


def expect(vectors: int) -> None:
    """Says that so many vectors will be coded next."""
    global _left
    _left = max(0, _left - vectors)


def is_cold() -> bool:
    """Whether plain code shall be used."""
    return _left > 0
