"""Vector quantisation with one codebook."""

from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans, squared_distances


class VQ(Quantizer):
    """One codebook; each vector becomes its nearest codeword.

    Args:
        dim: dimension D of the vectors.
        codebook_bits: log2 of the number K of codewords.
    """

    def __init__(self, dim: int, codebook_bits: int):
        super().__init__(dim, stages=1, codebook_bits=codebook_bits)

    def search(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n 1"]:
        return find_nearest(x, self.codebooks)

    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        self._check_stages(indices)
        return self.codebooks[0].index_select(0, indices[:, 0])

    def distance_tables(self, queries: Float[Tensor, "n D"]) -> Float[Tensor, "1 K n"]:
        self._check_dim(queries)
        return squared_distances(queries, self.codebooks)

    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 25) -> None:
        """k-means."""
        self._check_dim(vectors)
        self.codebooks.data[0] = kmeans(vectors, self.codebook_size, iterations)
