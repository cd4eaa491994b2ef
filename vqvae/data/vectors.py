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
        """The rate-distortion function: the least mean squared error of a vector at a rate.

        None if the distribution of the vectors is not known.

        Args:
            bits: the rate, in bits per vector.
        """
        return None

    @property
    def search_set(self) -> VectorSet | None:
        """Base vectors, queries and their true nearest neighbours, if there are any."""
        return None
