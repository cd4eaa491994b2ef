"""Choosing indices by distortion + λ · bits while a network is trained, with a gradient of the bits."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from vqvae.errors import ConfigError
from vqvae.quantizers import ProductResidualVQ, count_usage
from vqvae.training.rate_model import Histograms, spaced_lambdas


class Choice(NamedTuple):
    """Indices of least distortion + λ · bits, and what the encoder has to know of their rate.

    Attributes:
        indices: those chosen.
        gradient: of the expected bits with respect to the vectors.
    """

    indices: Int64[Tensor, "n m"]
    gradient: Float[Tensor, "n D"]


class RateModel(Histograms):
    """Chooses indices by distortion + λ · bits at several λ, with a number of stages that depends on λ.

    λ is the squared error of 8-bit pixels, added up over the three colours, that a bit is worth.

    Args:
        quantizer: whose indices are counted.
        lambda_min, lambda_max: λ of the highest and of the lowest rate.
        levels: number of rates, evenly spaced in the logarithm of λ, from the lowest rate to the highest.
        stage_lambdas: below each of these λ one stage more is used.
        decay: the share of a histogram that stays at each batch.

    Raises:
        ConfigError: these are not the λ of two or more rates, or ask for more stages than the quantiser has.
    """

    lambdas: Float32[Tensor, " L"]

    def __init__(
        self,
        quantizer: ProductResidualVQ,
        lambda_min: float,
        lambda_max: float,
        levels: int,
        stage_lambdas: Sequence[float],
        decay: float,
    ):
        super().__init__(quantizer, levels, decay)
        if not (0 < lambda_min < lambda_max and levels > 1):
            raise ConfigError(
                f"lambda_min={lambda_min}, lambda_max={lambda_max}, levels={levels}: must be "
                "0 < lambda_min < lambda_max, and at least two levels"
            )
        if len(stage_lambdas) >= quantizer.stages:
            raise ConfigError(
                f"stage_lambdas has {len(stage_lambdas)} entries, but must have fewer than the quantiser has stages, "
                f"{quantizer.stages}"
            )
        self.pieces = quantizer.pieces
        self.stage_lambdas = stage_lambdas
        self.register_buffer("lambdas", spaced_lambdas(lambda_max, lambda_min, levels))
        pixels = self.lambdas * 127.5**2
        self.stages = [1 + sum(float(lmbda) < limit for limit in stage_lambdas) for lmbda in pixels]

    def bits(self, level: int) -> Float[Tensor, "m K"]:
        """Bits of each index that a level uses."""
        return super().bits(level)[: self.stages[level] * self.pieces]

    @torch.no_grad()
    def choose(
        self, quantizer: ProductResidualVQ, x: Float[Tensor, "n D"], level: int, with_gradient: bool = True
    ) -> Choice:
        """Chooses the indices of vectors at a level, stage by stage.

        The gradient is that of the expected bits where codewords are chosen at random, with probabilities
        ∝ exp(-(distance + λ · bits) ln 2 / λ): the channel of least rate for its distortion, Berger 1971.
        """
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 cannot tell codewords apart
            return self._choose(quantizer, x, level, with_gradient)

    def _choose(self, quantizer: ProductResidualVQ, x: Float[Tensor, "n D"], level: int, with_gradient: bool) -> Choice:
        bits, lmbda = self.bits(level).unsqueeze(1), self.lambdas[level]
        slope = math.log(2) / lmbda
        indices, gradient = x.new_empty(len(x), 0, dtype=torch.int64), torch.zeros_like(x)
        for stage in range(self.stages[level]):
            remainder = x - quantizer.decode(indices) if stage else x
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            books, costs = quantizer.codebooks[part], bits[part]
            vectors = remainder.unflatten(1, (self.pieces, -1)).transpose(0, 1)  # m n d
            offsets = books.square().sum(2).unsqueeze(1) + lmbda * costs
            scores = torch.baddbmm(-slope * offsets, vectors, (2 * slope * books).transpose(1, 2))
            index = scores.argmax(2).T
            if with_gradient:
                shares = scores.softmax(2)
                expected = (shares * costs).sum(2, keepdim=True)
                pull = (shares * (costs - expected)) @ books
                gradient += 2 * slope * pull.transpose(0, 1).flatten(1)
            indices = torch.cat([indices, index], 1)
        return Choice(indices, gradient)

    @torch.no_grad()
    def fit(self, quantizer: ProductResidualVQ, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        """Entropy-constrained Lloyd, stage by stage: each codeword moves to the mean of all vectors that chose it at
        any level. Chou, Lookabaugh and Gray, IEEE Trans. ASSP 1989.
        """
        quantizer.fit(vectors, iterations)
        size = self.counts.shape[2]
        for stage in range(quantizer.stages):
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            levels = [level for level in range(self.levels) if self.stages[level] > stage]
            for _ in range(iterations):
                sums = torch.zeros_like(quantizer.codebooks[part])
                used = torch.zeros_like(self.counts[0, part])
                for level in levels:
                    indices = self.choose(quantizer, vectors, level, with_gradient=False).indices
                    self.recount(level, indices)
                    before = indices[:, : stage * self.pieces]
                    remainder = vectors - quantizer.decode(before) if stage else vectors
                    pieces = remainder.unflatten(1, (self.pieces, -1)).transpose(0, 1)
                    for total, piece, index in zip(sums, pieces, indices[:, part].T, strict=True):
                        total.index_add_(0, index, piece)
                    used += count_usage(indices[:, part], size)
                moved = sums / used.clamp(min=1).unsqueeze(2)
                quantizer.codebooks[part] = torch.where(used.unsqueeze(2) > 0, moved, quantizer.codebooks[part])
