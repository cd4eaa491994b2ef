"""The result of a search."""

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor


class SearchResult(NamedTuple):
    """The k nearest of each query's neighbours, nearest first.

    Attributes:
        distances: squared distances; infinite where fewer than k vectors are at a finite distance.
        ids: numbers of the vectors, in the order in which they were added; −1 where the distance is infinite.
    """

    distances: Float[Tensor, "q k"]
    ids: Int64[Tensor, "q k"]
