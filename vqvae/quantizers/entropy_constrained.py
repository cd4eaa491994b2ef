"""Codebooks fitted to squared distance + λ · bits."""

from collections.abc import Callable

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vqvae.quantizers.least_squares import fit_ridge, solve_codebooks
from vqvae.quantizers.usage import count_usage

MIN_COUNT = 0.1  # of an index that is never chosen, so that its bits are finite

Choose = Callable[[Float32[Tensor, "M K d"], Float32[Tensor, "M K"]], Int64[Tensor, "n M"]]
"""Chooses the indices of the vectors for these codebooks and costs."""


def fit_entropy_constrained(
    choose: Choose,
    vectors: Float32[Tensor, "n D"],
    codebooks: Float32[Tensor, "M K d"],
    pieces: int,
    lmbda: float,
    iterations: int,
) -> Float32[Tensor, "M K d"]:
    """Entropy-constrained Lloyd: choose by distance + λ · bits, count the indices, solve for the codebooks.

    Chou, Lookabaugh and Gray, "Entropy-Constrained Vector Quantization", IEEE Trans. ASSP 1989. The bits are those of a
    histogram of each codebook's indices.

    Args:
        choose: the search.
        vectors: to fit to.
        codebooks: to begin with.
        pieces: number of pieces of each vector; codebook m is for piece m % pieces.
        lmbda: λ, the squared distance that a bit is worth.
        iterations: of the three steps.
    """
    stages, size, _ = codebooks.shape
    ridge = fit_ridge(len(vectors), size) if stages > pieces else 0.0
    costs = torch.zeros_like(codebooks[..., 0])
    for _ in range(iterations):
        indices = choose(codebooks, costs)
        counts = count_usage(indices, size) + MIN_COUNT
        costs = lmbda * (counts.sum(1, keepdim=True) / counts).log2().float()
        codebooks = codebooks.clone()
        for piece, x in enumerate(vectors.chunk(pieces, dim=1)):
            own = slice(piece, None, pieces)
            codebooks[own] = solve_codebooks(x, indices[:, own], codebooks[own], ridge)
    return codebooks
