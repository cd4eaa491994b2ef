"""What codebooks have in common: k-means, usage, and the replacement of unused codewords."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from vqvae.quantizers.compiled import kernels_for
from vqvae.quantizers.pieces import scratch, search_in_pieces

JITTER = 0.01  # of the spread of the used codewords: far enough apart to win different vectors


@torch.no_grad()
def find_nearest(
    x: Float[Tensor, "n D"], codebooks: Float[Tensor, "M K d"], costs: Float[Tensor, "M K"] | None = None
) -> Int64[Tensor, "n M"]:
    """The nearest codewords of vectors, or of their M parts where D = M d.

    Args:
        x: the vectors.
        codebooks: the codewords.
        costs: of each codeword, to be added to its squared distance.
    """
    stages, size, dim = codebooks.shape
    norms = codebooks.square().sum(2).unsqueeze(2)  # ‖x − c‖² = ‖x‖² + ‖c‖² − 2 x·c
    if costs is not None:
        norms += costs.unsqueeze(2)
    scaled = -2 * codebooks

    def search(piece: Tensor) -> Tensor:
        parts = piece.unflatten(1, (stages, dim)).permute(1, 2, 0)
        return find_least(torch.baddbmm(norms, scaled, parts, out=scratch(stages, size, len(piece), like=x)))

    return search_in_pieces(search, x, stages * size)


@torch.no_grad()
def squared_distances(x: Float[Tensor, "n D"], codebooks: Float[Tensor, "M K d"]) -> Float[Tensor, "M K n"]:
    """Squared distances of vectors, or of their M parts where D = M d, from all codewords."""
    parts = x.double().unflatten(1, (len(codebooks), -1)).permute(1, 2, 0)  # so that small distances stay exact
    norms = codebooks.double().square().sum(2, keepdim=True)
    return torch.baddbmm(norms, -2 * codebooks.double(), parts).add_(parts.square().sum(1, keepdim=True)).float()


def find_least(costs: Float[Tensor, "M K n"]) -> Int64[Tensor, "n M"]:
    """The index of the least cost of each vector in each codebook."""
    kernels = kernels_for(costs)
    return costs.argmin(1).T if kernels is None else kernels.find_least(costs)


@torch.no_grad()
def kmeans(x: Float[Tensor, "n d"], size: int, iterations: int) -> Float[Tensor, "K d"]:
    """Lloyd's algorithm from random vectors; a codeword that loses its last vector moves to one of the worst served.

    Fewer vectors than codewords are used several times, each time with a little jitter.
    """
    draws = torch.cat([torch.randperm(len(x), device=x.device) for _ in range(-(-size // len(x)))])[:size]
    codebook = x[draws].clone()
    if size > len(x):
        codebook += JITTER * _spread(x) * torch.randn_like(codebook)
    for _ in range(iterations):
        nearest = find_nearest(x, codebook.unsqueeze(0)).squeeze(1)
        counts = torch.bincount(nearest, minlength=size)
        sums = torch.zeros_like(codebook).index_add_(0, nearest, x)
        empty = (counts == 0).nonzero().squeeze(1)
        if len(empty):
            errors = (x - codebook[nearest]).square().sum(1)
        codebook = sums / counts.clamp(min=1).unsqueeze(1)
        if len(empty):
            worst = errors.topk(min(len(empty), len(x))).indices
            codebook[empty[: len(worst)]] = x[worst]
    return codebook


def count_usage(indices: Int64[Tensor, "n M"], size: int) -> Int64[Tensor, "M K"]:
    """How often each codeword of each codebook was chosen."""
    return torch.stack([torch.bincount(stage, minlength=size) for stage in indices.T])


def perplexity(counts: Int64[Tensor, "M K"]) -> Float[Tensor, " M"]:
    """2 to the entropy of the codewords' use: K where all are used alike, 1 where one is used alone."""
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return torch.special.entr(shares).sum(1).exp()


def usage(counts: Int64[Tensor, "M K"]) -> Float[Tensor, " M"]:
    """The share of codewords used at all, 0 to 1."""
    return (counts > 0).float().mean(1)


@torch.no_grad()
def replace_unused(
    codebooks: Float[Tensor, "M K d"],
    counts: Int64[Tensor, "M K"],
    threshold: float,
    generator: torch.Generator | None = None,
) -> Bool[Tensor, "M K"]:
    """Moves codewords that are hardly used beside used ones, drawn as often as they are used. In place.

    Args:
        codebooks: the codebooks to mend.
        counts: how often each codeword was chosen lately.
        threshold: a codeword counts as unused below this share of an even use (total / K).
        generator: makes the draws, so that every process of a distributed training can make the same.

    Returns:
        which codewords were replaced.
    """
    unused = counts < threshold * counts.sum(1, keepdim=True) / counts.shape[1]
    for codebook, count, dead in zip(codebooks, counts, unused, strict=True):
        number = int(dead.sum())
        if number:
            used = codebook[~dead]
            source = torch.multinomial(count[~dead].float(), number, replacement=True, generator=generator)
            noise = torch.randn(number, codebook.shape[1], generator=generator, device=codebook.device)
            codebook[dead] = used[source] + JITTER * _spread(used) * noise
    return unused


def _spread(codewords: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Root mean square distance of a codeword's element from the mean, or from zero for a single codeword."""
    centre = codewords.mean(0) if len(codewords) > 1 else 0
    return (codewords - centre).square().mean().sqrt()
