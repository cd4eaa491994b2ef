"""What residual and additive VQ share: values are sums of codewords."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans
from vqvae.quantizers.pieces import scratch

TABLE_FLOATS = 2**26  # the largest table of all pairs of codewords: 256 MiB


class Expansion:
    """The terms of ‖x − Σc‖² − ‖x‖² = Σ (‖c‖² − 2 x·c) + Σ 2 c·c', the last over pairs of codewords.

    With them a search never touches the D dimensions again.

    Args:
        codebooks: the codebooks.
    """

    def __init__(self, codebooks: Float[Tensor, "M K D"]):
        self.stages, self.size, _ = codebooks.shape
        self.codewords = codebooks.flatten(0, 1)
        self.norms = self.codewords.square().sum(1)
        self.scaled = -2 * self.codewords
        self.pairs = None
        if len(self.codewords) ** 2 <= TABLE_FLOATS:
            self.pairs = -self.scaled @ self.codewords.T

    @property
    def table(self) -> Float[Tensor, "M K M K"] | None:
        """2 c·c' of all codewords, unless there are too many."""
        return None if self.pairs is None else self.pairs.view(self.stages, self.size, self.stages, self.size)

    def single(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n M K"]:
        """‖c‖² − 2 x·c, in memory that is used again for the next vectors."""
        costs = scratch(len(x), len(self.codewords), like=x)
        return torch.addmm(self.norms, x, self.scaled.T, out=costs).unflatten(1, (self.stages, self.size))

    def pair(self, codewords: Int64[Tensor, "*n"], others: slice = slice(None)) -> Float[Tensor, "*n k"]:
        """2 c·c' of some codewords and of others, both numbered through all codebooks."""
        if self.pairs is None:
            return -self.scaled[codewords] @ self.codewords[others].T
        return self.pairs[:, others][codewords]


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
            remainder = remainder - codebook[find_nearest(remainder, codebook.unsqueeze(0)).squeeze(1)]


def sum_codewords(codebooks: Float[Tensor, "M K D"], indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
    """The sum of the codewords that the columns of `indices` choose, column by column."""
    chosen = [codebook.index_select(0, index) for codebook, index in zip(codebooks, indices.T, strict=False)]
    return torch.stack(chosen).sum(0)
