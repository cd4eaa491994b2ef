"""What a search finds."""

from typing import NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor


class Found(NamedTuple):
    """The k nearest of each query's neighbours, nearest first.

    Attributes:
        distances: squared distances; infinite where there are fewer than k vectors, or none at a finite distance.
        ids: which vectors, counted in the order in which they were added; −1 where the distance is infinite.
    """

    distances: Float[Tensor, "q k"]
    ids: Int64[Tensor, "q k"]
