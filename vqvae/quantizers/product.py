"""Product VQ."""

import torch
from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.chunking import Search
from vqvae.quantizers.codebook_quantizer import CodebookQuantizer
from vqvae.quantizers.kmeans import kmeans
from vqvae.quantizers.nearest import nearest_search


class ProductVQ(CodebookQuantizer):
    """Splits each vector into M equal pieces and quantises each with a codebook of its own.

    Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011.

    Args:
        dim: dimension D of the vectors, a multiple of `stages`.
        stages: number M of pieces and codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook; either this or `codebook_size`.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    def __init__(
        self,
        dim: int,
        stages: int,
        codebook_bits: int | None = None,
        codebook_size: int | None = None,
        channel_dim: int = -1,
    ):
        super().__init__(dim, stages, codebook_bits, codebook_size, pieces=stages, channel_dim=channel_dim)

    def prepare(self, codebooks: Float32[Tensor, "M K d"], costs: Float32[Tensor, "M K"] | None) -> Search:
        return nearest_search(codebooks, costs)

    def fit_codebooks(self, vectors: Float32[Tensor, "n D"], iterations: int) -> Float32[Tensor, "M K d"]:
        """k-means in each piece."""
        pieces = vectors.chunk(self.pieces, dim=1)
        return torch.stack([kmeans(piece, self.codebook_size, iterations) for piece in pieces])
