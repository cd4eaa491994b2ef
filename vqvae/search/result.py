"""Results of a search."""

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor


class SearchResult(NamedTuple):
    """The k nearest neighbours of each query, nearest first.

    Attributes:
        distances: squared distances; infinite if fewer than k vectors have a finite distance.
        ids: numbers of the vectors, in the order of addition; −1 where the distance is infinite.
    """

    distances: Float[Tensor, "q k"]
    ids: Int64[Tensor, "q k"]
