"""The contract of entropy models: how indices become payloads, and how many bits that takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn

Track = Callable[[Sequence[int]], Iterable[int]]


class EntropyModel(nn.Module, ABC):
    """Turns the indices of images into bytes and back, exactly.

    What is coded is a section: the stages of one image from `known` on, where a reader has the stages before already. A
    whole image is one section with `known` = 0; a progressive file has a section for each stage.

    A model may keep integer tables, as buffers, and nothing else: they are stored with the weights and never rebuilt
    by the reader, because two machines may round the same float computation differently, and one wrong table entry
    turns all that follows it into noise.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
    """

    code: ClassVar[int]
    """What stands for this kind of model in a file, 0 to 7."""

    def __init__(self, stages: int, index_bits: int):
        super().__init__()
        self.stages = stages
        self.index_bits = index_bits

    def fit(self, indices: Integer[np.ndarray, "n h w M"], parts: Float[Tensor, "M K D"], track: Track = iter) -> None:
        """Learns the tables, or goes on from those learned before. A model without tables has nothing to learn.

        Args:
            indices: of images like those to come.
            parts: what each index adds to a vector's value.
            track: goes through the steps of the training, and may show how far it is.
        """

    def check(self) -> None:
        """Raises ValueError where the tables, which may come from a foreign file, hold what none can hold."""

    def costs(self) -> Float[np.ndarray, "M K"]:
        """Bits of each index, as far as they do not depend on others: here, all the same."""
        return np.zeros((self.stages, 1 << self.index_bits))

    def choose(
        self,
        parts: Float32[np.ndarray, "n h w M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        weight: float,
        above: Int64[np.ndarray, "n a w M"],
    ) -> Int64[np.ndarray, "n h w M"]:
        """The indices of least squared distance + weight · bits, each of them given those before.

        Args:
            parts: the vectors of images, in M parts; all of them, or some rows.
            codebooks: the codewords for each part.
            weight: squared distance that a bit is worth.
            above: indices of the rows before these; none for the first.
        """
        indices = np.empty(parts.shape[:-1], np.int64)
        for stage, (codebook, bits) in enumerate(zip(codebooks, self.costs(), strict=True)):
            costs = (codebook**2).sum(1) + weight * bits
            for image, chosen in zip(parts, indices, strict=True):
                chosen[..., stage] = (costs - 2 * image[..., stage, :] @ codebook.T).argmin(-1)
        return indices

    @abstractmethod
    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        """The information in each image's stages from `known` on under this model, in bits."""

    @abstractmethod
    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        """A payload for each image: its stages from `known` on."""

    @abstractmethod
    def decode(
        self, payloads: Sequence[bytes], known: Int64[np.ndarray, "n h w k"], stages: int
    ) -> Int64[np.ndarray, "n h w m"]:
        """The first `stages` indices of every vector.

        Args:
            payloads: what `encode` returned for each of n images of one size.
            known: the indices of the stages before; none, but the size of the grid, for a whole image.
            stages: how many stages there are when these payloads are decoded.

        Raises:
            BitstreamError: a payload is not one for a grid of this size.
        """
