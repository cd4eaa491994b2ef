"""What residual and additive VQ share: values are sums of codewords."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans


class SummedQuantizer(Quantizer):
    """M codebooks; a vector's value is the sum of one codeword from each.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook.
        beam: how many partial sums the search keeps at each step.
    """

    has_prefixes = True
    separable = False

    def __init__(self, dim: int, stages: int, codebook_bits: int, beam: int):
        if beam < 1:
            raise ValueError(f"beam is {beam}, but must be at least 1")
        super().__init__(dim, stages, codebook_bits)
        self.beam = beam

    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        self._check_stages(indices)
        chosen = [codebook.index_select(0, index) for codebook, index in zip(self.codebooks, indices.T, strict=False)]
        return torch.stack(chosen).sum(0)

    @torch.no_grad()
    def distance_tables(self, queries: Float[Tensor, "n D"]) -> Float[Tensor, "M K n"]:
        """‖q − Σc‖² = ‖q‖² − 2 Σ q·c + ‖Σc‖², with ‖q‖² in the first table."""
        self._check_dim(queries)
        tables = (-2 * self.codebooks) @ queries.T
        tables[0] += queries.square().sum(1)
        return tables

    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 20) -> None:
        """k-means on the remainders of the stages before, stage by stage."""
        self._check_dim(vectors)
        remainder = vectors
        for stage in range(self.stages):
            codebook = kmeans(remainder, self.codebook_size, iterations)
            self.codebooks.data[stage] = codebook
            remainder = remainder - codebook[find_nearest(remainder, codebook.unsqueeze(0)).squeeze(1)]
