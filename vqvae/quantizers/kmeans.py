"""k-means."""

import torch
from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.nearest import find_nearest
from vqvae.quantizers.usage import JITTER, spread


@torch.no_grad()
def kmeans(x: Float32[Tensor, "n d"], size: int, iterations: int) -> Float32[Tensor, "K d"]:
    """Lloyd's algorithm from random vectors; an empty cluster restarts at one of the vectors of largest error.

    Fewer vectors than codewords are used several times, each time with a little jitter.
    """
    mean = x.double().mean(0).float()  # far from zero, float32 loses the distances
    x = x - mean
    draws = torch.cat([torch.randperm(len(x), device=x.device) for _ in range(-(-size // len(x)))])[:size]
    codebook = x[draws].clone()
    if size > len(x):
        codebook += JITTER * spread(x) * torch.randn_like(codebook)
    for _ in range(iterations):
        nearest = find_nearest(x, codebook)
        counts = torch.bincount(nearest, minlength=size)
        sums = torch.zeros_like(codebook).index_add_(0, nearest, x)
        empty = (counts == 0).nonzero().squeeze(1)
        if len(empty):
            errors = (x - codebook[nearest]).square().sum(1)
        codebook = sums / counts.clamp(min=1).unsqueeze(1)
        if len(empty):
            worst = errors.topk(min(len(empty), len(x))).indices
            codebook[empty[: len(worst)]] = x[worst]
    return codebook + mean
