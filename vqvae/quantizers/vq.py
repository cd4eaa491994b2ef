"""Vector quantisation with one codebook."""

from vqvae.quantizers.product import ProductVQ


class VQ(ProductVQ):
    """One codebook; each vector becomes its nearest codeword: product VQ with one piece.

    Args:
        dim: dimension D of the vectors.
        codebook_bits: log2 of the number K of codewords; either this or `codebook_size`.
        codebook_size: number K of codewords, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    def __init__(
        self,
        dim: int,
        codebook_bits: int | None = None,
        codebook_size: int | None = None,
        channel_dim: int = -1,
    ):
        super().__init__(dim, 1, codebook_bits, codebook_size, channel_dim)
