"""The contract of entropy models: how indices become a payload, and how many bits that takes."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Int64
from torch import nn


class EntropyModel(nn.Module, ABC):
    """Turns the indices of one image into bytes and back, exactly.

    A model may keep integer tables, as buffers, and nothing else: they are stored with the weights and never rebuilt
    by the reader, because two machines may round the same float computation differently, and one wrong table entry
    turns all that follows it into noise.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
    """

    code: ClassVar[int]
    """What stands for this kind of model in a file, 0 to 15."""

    def __init__(self, stages: int, index_bits: int):
        super().__init__()
        self.stages = stages
        self.index_bits = index_bits

    @abstractmethod
    def bits(self, indices: Int64[np.ndarray, "h w M"]) -> float:
        """The information in the indices under this model, in bits; the payload has that many, rounded up to bytes."""

    @abstractmethod
    def encode(self, indices: Int64[np.ndarray, "h w M"]) -> bytes:
        """The payload for the indices."""

    @abstractmethod
    def decode(self, payload: bytes, height: int, width: int) -> Int64[np.ndarray, "h w M"]:
        """The indices of a payload.

        Args:
            payload: what `encode` returned.
            height: of the grid, in vectors.
            width: of the grid, in vectors.

        Raises:
            BitstreamError: the payload is not one for a grid of this size.
        """
