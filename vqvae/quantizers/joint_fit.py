"""Codebooks whose codewords are summed, fitted to one another."""

from collections.abc import Callable

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vqvae.quantizers.kmeans import kmeans
from vqvae.quantizers.least_squares import fit_ridge, solve_codebooks
from vqvae.quantizers.nearest import find_nearest

NOISE = 0.5  # standard deviation of a sum of codewords' noise at first, in units of the error

Choose = Callable[[Float32[Tensor, "n d"], Float32[Tensor, "M K d"]], Int64[Tensor, "n M"]]
"""Chooses the indices of vectors for these codebooks."""


def fit_jointly(
    choose: Choose, vectors: Float32[Tensor, "n d"], stages: int, size: int, iterations: int
) -> Float32[Tensor, "M K d"]:
    """k-means stage by stage, then search and least squares for all codebooks in turn.

    So the codebooks fit one another and what the search, with its beam, really chooses: the simultaneous joint design
    of LeBlanc et al., "Efficient Search and Design Procedures for Robust Multi-Stage VQ of LPC Parameters for 4 kb/s
    Speech Coding", IEEE Trans. Speech and Audio Processing 1993. After each update noise is added to them, less each
    time (Martinez et al., "LSQ++", ECCV 2018, SR-C), so that the search does not stop at the first local optimum. Least
    squares starts from the result of k-means, and a ridge keeps codewords short, so that the stages keep their order.

    Args:
        choose: the search.
        vectors: to fit to.
        stages: number M of codebooks.
        size: number K of codewords in each.
        iterations: of search and least squares; k-means takes half as many.
    """
    codebooks, remainder = _fit_stages(vectors, stages, size, iterations // 2)
    ridge = fit_ridge(len(vectors), size)
    deviation = NOISE * remainder.std(0, correction=0) / stages**0.5
    noisy = codebooks
    for iteration in range(1, iterations + 1):
        codebooks = solve_codebooks(vectors, choose(vectors, noisy), codebooks, ridge)
        scale = max(0.0, 1 - iteration / max(1, iterations - 2)) ** 0.5
        noisy = codebooks + scale * deviation * torch.randn_like(codebooks)
    return noisy


def _fit_stages(
    vectors: Float32[Tensor, "n d"], stages: int, size: int, iterations: int
) -> tuple[Float32[Tensor, "M K d"], Float32[Tensor, "n d"]]:
    """Codebooks by k-means on what the stages before left over, and what the last one leaves."""
    codebooks, remainder = [], vectors
    for _ in range(stages):
        codebooks.append(kmeans(remainder, size, iterations))
        remainder = remainder - codebooks[-1][find_nearest(remainder, codebooks[-1])]
    return torch.stack(codebooks), remainder
