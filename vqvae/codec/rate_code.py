"""The rate that the networks of some models take, in the first byte of a file's first section."""

from typing import NamedTuple

from vqvae.errors import BitstreamError
from vqvae.formats import Coded

LEVELS = 255


class WithRate(NamedTuple):
    """A rate from 0 to 1, and the coded indices without it."""

    rate: float
    coded: Coded


def rounded_rate(rate: float) -> float:
    """The rate that a decoder will read."""
    return round(rate * LEVELS) / LEVELS


def add_rate(coded: Coded, rate: float) -> Coded:
    """Coded indices with a rate in front of them."""
    first, *others = coded.sections
    return coded._replace(sections=(bytes([round(rate * LEVELS)]) + first, *others))


def split_rate(coded: Coded) -> WithRate:
    """The rate, and the coded indices without it.

    Raises:
        BitstreamError: there is no rate.
    """
    first, *others = coded.sections
    if not first:
        raise BitstreamError("the payload is empty, but should begin with the rate: it is damaged")
    return WithRate(first[0] / LEVELS, coded._replace(sections=(first[1:], *others)))
