"""What residual and additive VQ share: values are sums of codewords."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans
from vqvae.quantizers.least_squares import solve_codebooks

RIDGE = 4.0  # vectors that hold each codeword to the mean of its codebook in `fit`, ...
SHARE = 0.25  # ... but no more than this many for each of its own
SHAKE = 0.5  # of the length of the error: how far `fit` shakes a sum of codewords at first


MAX_BEAM = 4096


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
        if not 1 <= beam <= MAX_BEAM:
            raise ValueError(f"beam is {beam}, but must be from 1 to {MAX_BEAM}")
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

    @torch.no_grad()
    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 25) -> None:
        """k-means stage by stage, then search and least squares for all codebooks in turn.

        So the codebooks fit one another and what the search, with its beam, really chooses: the simultaneous joint
        design of LeBlanc et al., "Efficient Search and Design Procedures for Robust Multi-Stage VQ of LPC Parameters
        for 4 kb/s Speech Coding", IEEE Trans. Speech and Audio Processing 1993. After each update they are shaken, less
        each time (Martinez et al., "LSQ++", ECCV 2018, SR-C), so that the search does not settle for the first
        solution. Least squares starts from where k-means ended, and a ridge keeps codewords short, so that the stages
        keep their order.
        """
        self._check_dim(vectors)
        remainder = self._fit_stages(vectors, iterations // 2)
        ridge = min(RIDGE, SHARE * len(vectors) / self.codebook_size)
        spread = SHAKE * remainder.std(0, correction=0) / self.stages**0.5
        codebooks = self.codebooks.data.clone()
        for iteration in range(1, iterations + 1):
            codebooks = solve_codebooks(vectors, self.encode(vectors), codebooks, ridge)
            shake = max(0.0, 1 - iteration / max(1, iterations - 2)) ** 0.5
            self.codebooks.data.copy_(codebooks + shake * spread * torch.randn_like(codebooks))

    def _fit_stages(self, vectors: Float[Tensor, "n D"], iterations: int) -> Float[Tensor, "n D"]:
        """k-means on what the stages before left over; returns what the last one leaves."""
        remainder = vectors
        for stage in range(self.stages):
            codebook = kmeans(remainder, self.codebook_size, iterations)
            self.codebooks.data[stage] = codebook
            remainder = remainder - codebook[find_nearest(remainder, codebook.unsqueeze(0)).squeeze(1)]
        return remainder
