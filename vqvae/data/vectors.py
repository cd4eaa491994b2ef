"""Vectors to quantise, without a network."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from vqvae.data.base import BatchDataModule, BatchSet


class VectorsInMemory(BatchSet):
    """Vectors of one dimension, held in memory.

    Args:
        vectors: the vectors.
    """

    def __init__(self, vectors: Float[Tensor, "n D"]):
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitems__(self, indices: list[int]) -> Float[Tensor, "b D"]:
        return self.vectors[indices]


class VectorDataModule(BatchDataModule):
    """Batches of vectors, (n, D) float32."""

    train_set: VectorsInMemory
    val_set: VectorsInMemory
    test_set: VectorsInMemory

    @abstractmethod
    def bound(self, bits: int) -> float | None:
        """The least mean squared error of a vector that so many bits allow for, however many are coded together.

        None where the law of the vectors is not known.
        """
