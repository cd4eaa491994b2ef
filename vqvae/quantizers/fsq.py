"""Finite scalar quantisation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.projected import ProjectedQuantizer

MAX_LEVELS = 2**16
EPS = 1e-3
"""How far beyond the outermost levels latent numbers may come, in units of levels: rounding still finds these."""


class FSQ(ProjectedQuantizer):
    """Projects each vector to a few numbers, bounds them by tanh, and rounds each to one of a few levels.

    There is one index for each number, so M = len(levels). Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made
    Simple", 2023, section 3; the bounding function is that of its appendix A.1, but for EPS. The paper's estimator is
    `StraightThrough(commitment=0)`.

    Args:
        dim: dimension D of the vectors.
        levels: number of levels of each latent number, from 2 to 65536 each.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    def __init__(self, dim: int, levels: Sequence[int], channel_dim: int = -1):
        super().__init__(dim, len(levels), channel_dim)
        if not (min(levels) >= 2 and max(levels) <= MAX_LEVELS):
            raise ValueError(f"levels are {list(levels)}, but each must be from 2 to {MAX_LEVELS}")
        self.levels = tuple(levels)

    @property
    def index_sizes(self) -> tuple[int, ...]:
        return self.levels

    def bound(self, latent: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Divided by ⌊L/2⌋, so that codes are from -1 to 1; an even number L of them has 0, and so none at 1."""
        levels = torch.tensor(self.levels, dtype=latent.dtype, device=latent.device)
        reach, offset = (levels - 1) / 2 + EPS, (levels + 1) % 2 / 2
        bounded = (latent + torch.atanh(offset / reach)).tanh() * reach - offset
        return bounded / (levels // 2)

    def round(self, bounded: Float[Tensor, "n d"]) -> Int64[Tensor, "n M"]:
        half = torch.tensor(self.levels, device=bounded.device) // 2
        return (bounded * half).round().long() + half

    def codes(self, indices: Int64[Tensor, "n M"]) -> Float[Tensor, "n d"]:
        half = torch.tensor(self.levels, device=indices.device) // 2
        return ((indices - half) / half).to(self.project_out.weight.dtype)
