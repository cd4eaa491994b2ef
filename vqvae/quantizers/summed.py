"""What residual and additive VQ share: values are sums of codewords."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans, squared_distances


class Expansion(NamedTuple):
    """The terms of ‖x − Σc‖² − ‖x‖² = Σ (‖c‖² − 2 x·c) + Σ 2 c·c', the last over pairs of codewords.

    With them a search never touches the D dimensions again.
    """

    single: Float[Tensor, "n M K"]  # ‖c‖² − 2 x·c
    pair: Float[Tensor, "MK MK"]  # 2 c·c'


class SummedQuantizer(Quantizer):
    """M codebooks; a vector's value is the sum of one codeword from each.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook.
        beam: how many partial sums the search keeps at each step.
    """

    def __init__(self, dim: int, stages: int, codebook_bits: int, beam: int):
        if beam < 1:
            raise ValueError(f"beam is {beam}, but must be at least 1")
        super().__init__(dim, stages, codebook_bits)
        self.beam = beam

    def expand(self, x: Float[Tensor, "n D"]) -> Expansion:
        """Computes all inner products that a search needs."""
        codewords = self.codebooks.flatten(0, 1)
        single = squared_distances(x, codewords).unflatten(1, self.codebooks.shape[:2])
        return Expansion(single, 2 * codewords @ codewords.T)

    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        self._check_stages(indices, prefix=True)
        return sum_codewords(self.codebooks, indices)

    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 20) -> None:
        """k-means on the remainders of the stages before, stage by stage."""
        self._check_dim(vectors)
        remainder = vectors
        for stage in range(self.stages):
            codebook = kmeans(remainder, self.codebook_size, iterations)
            self.codebooks.data[stage] = codebook
            remainder = remainder - codebook[find_nearest(remainder, codebook).indices]


def sum_codewords(codebooks: Float[Tensor, "M K D"], indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
    """The sum of the codewords that the columns of `indices` choose, column by column."""
    chosen = [codebook[index] for codebook, index in zip(codebooks, indices.T, strict=False)]
    return torch.stack(chosen).sum(0)
