"""The rate that the networks of some models take, in the first byte of a file's first section."""

from typing import NamedTuple

from vqvae.entropy.base import MAX_RATE
from vqvae.errors import BitstreamError
from vqvae.formats import Coded


class WithRate(NamedTuple):
    """A rate from 0 to 255, and the coded indices without it."""

    rate: int
    coded: Coded


def rate_of(quality: float) -> int:
    """The rate of a quality from 0 to 100."""
    return round(quality / 100 * MAX_RATE)


def relative_rate(rate: int | None) -> float | None:
    """As networks take it: from 0 to 1."""
    return None if rate is None else rate / MAX_RATE


def add_rate(coded: Coded, rate: int) -> Coded:
    """Coded indices with a rate in front of them."""
    first, *others = coded.sections
    return coded._replace(sections=(bytes([rate]) + first, *others))


def split_rate(coded: Coded) -> WithRate:
    """The rate, and the coded indices without it.

    Raises:
        BitstreamError: there is no rate.
    """
    first, *others = coded.sections
    if not first:
        raise BitstreamError("the payload is empty, but should begin with the rate: it is damaged")
    return WithRate(first[0], coded._replace(sections=(first[1:], *others)))
