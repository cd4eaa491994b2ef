"""How much codewords are used, and the replacement of unused ones."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

JITTER = 0.01  # in units of the spread of the used codewords: enough to be nearest to different vectors


def count_usage(indices: Int64[Tensor, "*n M"], size: int) -> Int64[Tensor, "M K"]:
    """How often each codeword of each codebook was chosen; -1, the index of padding, is not counted."""
    columns = indices.flatten(0, -2).T
    return torch.stack([torch.bincount(column[column >= 0], minlength=size) for column in columns])


def perplexity(counts: Int64[Tensor, "M K"]) -> Float[Tensor, " M"]:
    """2 to the power of the entropy of each codebook's indices: from 1, for a single index, to K, for uniform use."""
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return torch.special.entr(shares).sum(1).exp()


def usage(counts: Int64[Tensor, "M K"]) -> Float[Tensor, " M"]:
    """The share of each codebook's codewords that was chosen at all, 0 to 1."""
    return (counts > 0).float().mean(1)


@torch.no_grad()
def replace_unused(
    codebooks: Float[Tensor, "M K d"],
    counts: Int64[Tensor, "M K"],
    threshold: float,
    generator: torch.Generator | None = None,
) -> Bool[Tensor, "M K"]:
    """Moves rarely used codewords next to used ones, drawn in proportion to their counts. In place.

    Args:
        codebooks: the codebooks to change.
        counts: how often each codeword was chosen in recent batches.
        threshold: a codeword counts as unused below this share of uniform use (total / K).
        generator: random numbers; processes of a distributed training pass the same seed to draw the same codewords.

    Returns:
        which codewords were replaced.
    """
    unused = counts < threshold * counts.sum(1, keepdim=True) / counts.shape[1]
    for codebook, count, dead in zip(codebooks, counts, unused, strict=True):
        number = int(dead.sum())
        if number:
            used = codebook[~dead]
            source = torch.multinomial(count[~dead].float(), number, replacement=True, generator=generator)
            chosen = used[source]
            noise = torch.randn(chosen.shape, generator=generator, device=chosen.device, dtype=chosen.dtype)
            codebook[dead] = chosen + JITTER * spread(used) * noise
    return unused


def spread(codewords: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Root mean square of the elements after their mean is subtracted, or of the elements of a single codeword."""
    mean = codewords.mean(0) if len(codewords) > 1 else 0
    return (codewords - mean).square().mean().sqrt()
