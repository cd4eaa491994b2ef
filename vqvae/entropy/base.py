"""The contract of entropy models: how indices become payloads, and how many bits that takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn

Track = Callable[[Iterable[Any]], Iterable[Any]]
"""Iterates over batches or steps, and may show progress or end early: `rich.progress.track`, or `iter`."""

MAX_RATE = 255
"""The largest rate of an entropy model that depends on one; the smallest is 0."""


class EntropyModel(nn.Module, ABC):
    """Turns the indices of images into bytes and back, exactly.

    What is coded is a section: some consecutive stages of one image, from `known` on, given the stages before. A whole
    image is one section with `known` = 0; a progressive file has a section for each layer.

    A model may keep integer tables, as buffers, and nothing else: they are stored with the weights and never computed
    by the decoder, because two machines may round the same float computation differently, and one wrong table entry
    turns everything after it into noise.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
    """

    code: ClassVar[int]
    """The number of this kind of model in files, 0 to 7."""

    def __init__(self, stages: int, index_bits: int):
        super().__init__()
        self.stages = stages
        self.index_bits = index_bits

    def fit(
        self, indices: Integer[np.ndarray, "n h w M"], contributions: Float[Tensor, "M K D"], track: Track = iter
    ) -> None:
        """Fits the tables, continuing from the present ones. A model without tables does nothing.

        Args:
            indices: of images like those to be coded.
            contributions: what each index adds to a vector's value.
            track: iterates over the training steps, and may show progress.
        """

    def check(self) -> None:
        """Raises ValueError if the tables, which may come from any file, hold invalid values."""

    def costs(self) -> Float[np.ndarray, "M K"]:
        """Bits of each index, as far as they do not depend on other indices; here all are equal, and count as 0."""
        return np.zeros((self.stages, 1 << self.index_bits))

    def rdo_quantize(
        self,
        subvectors: Float32[np.ndarray, "n h w M d"],
        codebooks: Float32[np.ndarray, "M K d"],
        lmbda: float,
        above: Int64[np.ndarray, "n a w M"],
        costs: Float32[np.ndarray, "M K"] | None = None,
    ) -> Int64[np.ndarray, "n h w M"]:
        """The indices of least squared distance + λ · bits + costs, chosen one after the other (rate-distortion
        optimisation).

        Args:
            subvectors: the vectors of images, in M pieces; all of them, or some rows.
            codebooks: the codewords for each piece.
            lmbda: squared distance that a bit is worth.
            above: indices of the rows before these; without rows for the first.
            costs: further costs of each index, as squared distances.
        """
        indices = np.empty(subvectors.shape[:-1], np.int64)
        fixed = lmbda * self.costs() + (0 if costs is None else costs)
        for stage, (codebook, cost) in enumerate(zip(codebooks, fixed, strict=True)):
            offsets = (codebook**2).sum(1) + cost
            for image, chosen in zip(subvectors, indices, strict=True):
                chosen[..., stage] = (offsets - 2 * image[..., stage, :] @ codebook.T).argmin(-1)
        return indices

    @abstractmethod
    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        """Bits that each image's stages from `known` on take under this model."""

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
            known: the indices of the stages before; for a whole image without stages, but with the size of the grid.
            stages: number of stages once these payloads are decoded.

        Raises:
            BitstreamError: a payload is not one for a grid of this size.
        """


class LayeredEntropyModel(EntropyModel):
    """An entropy model whose payloads hold one layer of the indices each, given the layers before and the rate.

    All files of such models have a section for each layer, and may have fewer layers than the model.
    """

    @property
    @abstractmethod
    def layers(self) -> tuple[int, ...]:
        """Numbers of indices per vector that the layers end with, ascending; the last is M."""

    @abstractmethod
    def at_rate(self, rate: int) -> "LayeredEntropyModel":
        """The same model at a rate from 0 to MAX_RATE."""

    @abstractmethod
    def rdo_quantize_layer(
        self,
        subvectors: Float32[np.ndarray, "n h w s d"],
        codebooks: Float32[np.ndarray, "s K d"],
        lmbda: float,
        costs: Float32[np.ndarray, "s K"],
        earlier: Int64[np.ndarray, "n h w j"],
    ) -> Int64[np.ndarray, "n h w s"]:
        """The indices of a layer of least squared distance + λ · bits + costs, chosen one after the other.

        Args:
            subvectors: what the layer shall come close to, in as many pieces as it has indices.
            codebooks: the codewords for each piece.
            lmbda: squared distance that a bit is worth.
            costs: further costs of each index.
            earlier: the indices of the layers before.
        """
