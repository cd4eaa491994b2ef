"""Vector quantisation with one codebook."""

from vqvae.quantizers.product import ProductVQ


class VQ(ProductVQ):
    """One codebook; each vector becomes its nearest codeword: product VQ with one part.

    Args:
        dim: dimension D of the vectors.
        codebook_bits: log2 of the number K of codewords.
    """

    def __init__(self, dim: int, codebook_bits: int):
        super().__init__(dim, stages=1, codebook_bits=codebook_bits)
