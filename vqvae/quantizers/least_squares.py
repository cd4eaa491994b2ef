"""The best codebooks for given indices, all at once."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

EPS = 1e-20
RIDGE = 4.0  # weight of the ridge in units of vectors, ...
MAX_RIDGE_SHARE = 0.25  # ... and at most this share of the mean number of vectors of a codeword


def fit_ridge(vectors: int, size: int) -> float:
    """The `ridge` for fitting codebooks of so many codewords to so many vectors."""
    return min(RIDGE, MAX_RIDGE_SHARE * vectors / size)


@torch.no_grad()
def solve_codebooks(
    vectors: Float[Tensor, "n D"],
    indices: Int64[Tensor, "n M"],
    start: Float[Tensor, "M K D"],
    ridge: float = 0.0,
    steps: int = 8,
) -> Float[Tensor, "M K D"]:
    """The codebooks that minimise Σ‖x − Σc‖² for given indices: least squares, by conjugate gradients.

    The matrix of the problem says which codewords make up each vector, so a product with it is a decoding, and one
    with its transpose a sum over the vectors of each codeword: neither the matrix nor its square is ever stored.
    Codewords that no vector uses stay where they are.

    Args:
        vectors: what the sums of codewords approximate.
        indices: the codewords that make up each vector.
        start: initial codebooks; the closer to the solution, the fewer steps are needed.
        ridge: pulls each codeword to the mean of its codebook at the start, with the weight of this many vectors.
            Without it, codewords that are often chosen together grow long and cancel, at the cost of all other sums.
        steps: of the conjugate gradients, preconditioned by the codewords' counts.
    """
    codebooks, mean = start.clone(), start.mean(1, keepdim=True)
    counts = _gather(torch.ones_like(vectors[:, :1]), indices, codebooks[:, :, :1])
    pull = ridge * (counts > 0)
    weights = (counts + pull).clamp(min=1)
    remainder = vectors - _decode(codebooks, indices)
    gradient = _gather(remainder, indices, codebooks) - pull * (codebooks - mean)
    direction = gradient / weights
    strength = (gradient * direction).sum((0, 1))  # for each of the D dimensions, which are separate problems
    for _ in range(steps):
        change = _decode(direction, indices)
        length = strength / (change.square().sum(0) + (pull * direction.square()).sum((0, 1)) + EPS)
        codebooks += length * direction
        remainder -= length * change
        gradient = _gather(remainder, indices, codebooks) - pull * (codebooks - mean)
        scaled = gradient / weights
        before, strength = strength, (gradient * scaled).sum((0, 1))
        direction = scaled + strength / (before + EPS) * direction
    return codebooks


def _decode(codebooks: Float[Tensor, "M K D"], indices: Int64[Tensor, "n M"]) -> Float[Tensor, "n D"]:
    values = codebooks[0].index_select(0, indices[:, 0])
    for stage in range(1, len(codebooks)):
        values += codebooks[stage].index_select(0, indices[:, stage])
    return values


def _gather(
    vectors: Float[Tensor, "n D"], indices: Int64[Tensor, "n M"], like: Float[Tensor, "M K D"]
) -> Float[Tensor, "M K D"]:
    """The sum of the vectors of each codeword."""
    sums = torch.zeros_like(like)
    for stage in range(len(sums)):
        sums[stage].index_add_(0, indices[:, stage], vectors)
    return sums
