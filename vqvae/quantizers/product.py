"""Product VQ."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans, squared_distances


class ProductVQ(Quantizer):
    """Splits each vector into M equal parts and quantises each with a codebook of its own.

    Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011.

    Args:
        dim: dimension D of the vectors, a multiple of `stages`.
        stages: number M of parts and codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook.
    """

    def __init__(self, dim: int, stages: int, codebook_bits: int):
        if stages < 1 or dim % stages:
            raise ValueError(f"dim={dim} cannot be split into stages={stages} equal parts: choose a multiple")
        super().__init__(dim, stages, codebook_bits, codeword_dim=dim // stages)

    def search(self, x: Float[Tensor, "n D"], costs: Float[Tensor, "M K"] | None = None) -> Int64[Tensor, "n M"]:
        return find_nearest(x, self.codebooks, costs)

    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        self._check_stages(indices)
        parts = [codebook.index_select(0, index) for codebook, index in zip(self.codebooks, indices.T, strict=True)]
        return torch.cat(parts, dim=1)

    def distance_tables(self, queries: Float[Tensor, "n D"]) -> Float[Tensor, "M K n"]:
        self._check_dim(queries)
        return squared_distances(queries, self.codebooks)

    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 25) -> None:
        """k-means in each part."""
        self._check_dim(vectors)
        for stage, part in enumerate(vectors.chunk(self.stages, dim=1)):
            self.codebooks.data[stage] = kmeans(part, self.codebook_size, iterations)
