"""Vectors to quantise, without a network."""

from jaxtyping import Float, Shaped
from torch import Tensor

from vqvae.data.base import BatchDataModule, BatchSet
from vqvae.data.texmex import VectorSet


class VectorsInMemory(BatchSet):
    """Vectors of one dimension, held in memory.

    Args:
        vectors: the vectors, of any dtype; batches are float32.
    """

    def __init__(self, vectors: Shaped[Tensor, "n D"]):
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitems__(self, indices: list[int]) -> Float[Tensor, "b D"]:
        return self.vectors[indices].float()


class VectorDataModule(BatchDataModule):
    """Batches of vectors, (n, D) float32."""

    train_set: VectorsInMemory
    val_set: VectorsInMemory
    test_set: VectorsInMemory

    def bound(self, bits: int) -> float | None:
        """The least mean squared error of a vector that so many bits allow for, however many are coded together.

        None where the law of the vectors is not known.
        """
        return None

    @property
    def search_set(self) -> VectorSet | None:
        """Vectors to search in, queries and their true neighbours, where there are such."""
        return None
