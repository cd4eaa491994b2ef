"""Lookup-free quantisation."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import softplus
from torch.special import entr

from vqvae.quantizers.estimators import Estimate
from vqvae.quantizers.projected import ProjectedQuantizer

MAX_BITS = 16
JOINT_BITS = 8
"""Bits whose joint distribution is computed for the entropy: of more, the entropies of groups are added."""

TINY = 1e-12
"""Shares below it count as it, without a gradient."""


class LFQ(ProjectedQuantizer):
    """Projects each vector to one number for each bit, and keeps the signs: the codes are ±1.

    Training adds the entropy penalty: each vector should be sure of its bits, all together should use every codeword.
    Yu et al., "Language Model Beats Diffusion: Tokenizer is Key to Visual Generation", 2023, section 3.1, eq. 5.

    Args:
        dim: dimension D of the vectors, at least `stages` · `codebook_bits`.
        stages: number M of indices.
        codebook_bits: bits of each index, from 1 to 16.
        entropy_weight: weight of the entropy penalty; 0 leaves it out.
        temperature: of the distribution over the codes of a latent number z, softmax(-(z ∓ 1)² / temperature).
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    non_decoding_arguments = frozenset({"entropy_weight", "temperature"})

    def __init__(
        self,
        dim: int,
        stages: int,
        codebook_bits: int,
        entropy_weight: float = 0.1,
        temperature: float = 1.0,
        channel_dim: int = -1,
    ):
        if not 1 <= codebook_bits <= MAX_BITS:
            raise ValueError(f"codebook_bits is {codebook_bits}, but must be from 1 to {MAX_BITS}: use more stages")
        super().__init__(dim, stages * codebook_bits, channel_dim)
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, but must be above 0")
        self.stages = stages
        self.codebook_bits = codebook_bits
        self.entropy_weight = entropy_weight
        self.temperature = temperature

    @property
    def index_sizes(self) -> tuple[int, ...]:
        return (2**self.codebook_bits,) * self.stages

    def round(self, bounded: Float[Tensor, "n d"]) -> Int64[Tensor, "n M"]:
        bits = (bounded > 0).unflatten(1, (self.stages, self.codebook_bits))
        return (bits << torch.arange(self.codebook_bits, device=bounded.device)).sum(2)

    def codes(self, indices: Int64[Tensor, "n M"]) -> Float[Tensor, "n d"]:
        places = torch.arange(self.codebook_bits, device=indices.device)
        bits = (indices.unsqueeze(2) >> places & 1).flatten(1)
        return (2 * bits - 1).to(self.project_out.weight.dtype)

    def estimate(
        self, x: Float[Tensor, "n D"], indices: Int64[Tensor, "n M"], values: Float[Tensor, "n D"]
    ) -> Estimate:
        estimate = super().estimate(x, indices, values)
        if not (self.entropy_weight and len(x)):
            return estimate
        penalty = entropy_penalty(self.project_in(x).unflatten(1, (self.stages, -1)), self.temperature)
        return estimate._replace(loss=estimate.loss + self.entropy_weight * penalty)


def entropy_penalty(latent: Float[Tensor, "n M b"], temperature: float) -> Float[Tensor, ""]:
    """Mean entropy of the distributions of single vectors, less that of their mean; in nats, a mean over the indices.

    Args:
        latent: the latent numbers of each of the M indices.
        temperature: of the distributions.
    """
    logits = 4 * latent / temperature  # (z + 1)² - (z - 1)² = 4 z
    ones = logits.sigmoid()
    single = (softplus(logits) - logits * ones).sum(2).mean()  # not entr(ones): its slope is infinite at 0
    joint = sum((_entropy_of_mean(group) for group in ones.split(JOINT_BITS, 2)), latent.new_zeros(()))
    return single - joint


def _entropy_of_mean(ones: Float[Tensor, "n M b"]) -> Float[Tensor, ""]:
    shares = torch.ones_like(ones[..., :1])
    for one in ones.split(1, 2):
        shares = torch.cat([shares * (1 - one), shares * one], 2)
    return entr(shares.mean(0).clamp(min=TINY)).sum(1).mean()
