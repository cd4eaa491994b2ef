"""How gradients pass the argmin of a quantiser, and what moves its codebooks; for every quantiser alike."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, distributed, nn

EPS = 1e-12


class Estimate(NamedTuple):
    """Differentiable values to go on with, and what to add to the training loss."""

    values: Float[Tensor, "n D"]
    loss: Float[Tensor, ""]


class Estimator(nn.Module, ABC):
    """Stands in for the quantiser's step function while training. `Quantizer.use` puts it there."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        """Makes the quantisation of x differentiable.

        Args:
            x: the vectors before quantisation, with gradients to the encoder.
            quantized: their quantised values, with gradients to the codebooks.
        """

    def attach(self, codebooks: Float[nn.Parameter, "M K d"]) -> None:
        """Gets ready for these codebooks: here, so that they learn by their gradients."""
        codebooks.requires_grad_(True)

    def update(
        self,
        codebooks: Float[Tensor, "M K d"],
        indices: Int64[Tensor, "n M"],
        x: Float[Tensor, "n D"],
        quantized: Float[Tensor, "n D"],
    ) -> None:
        """Moves the codebooks after a training batch, where that is not left to their gradients. In place.

        Args:
            codebooks: the codebooks.
            indices: the codewords chosen.
            x: the vectors before quantisation.
            quantized: their quantised values.
        """


class NSVQ(Estimator):
    """Noise substitution: the error is replaced by Gaussian noise of the same length.

    x + ‖x − q(x)‖ · v/‖v‖ with v ~ N(0, I): the length carries the gradients to encoder and codebooks alike,
    so no loss term is needed. Vali and Bäckström, "NSVQ: Noise Substitution in Vector Quantization for Machine
    Learning", IEEE Access 2022, eq. 2.
    """

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        length = torch.linalg.vector_norm(x - quantized, dim=-1, keepdim=True)
        return Estimate(x + length * _direction(torch.randn_like(x)), x.new_zeros(()))


class DiVeQ(Estimator):
    """The quantised values themselves, reached from x along a fixed direction by a length that carries the gradients.

    x + ‖x − q(x)‖ · sg[v/‖v‖] with v ~ N(q(x) − x, σ² I): as in NSVQ the length trains encoder and codebooks alike
    without a loss term, but what goes on to the decoder is what it will decode later, or close to it. Vali et al.,
    "DiVeQ: Differentiable Vector Quantization Using the Reparameterization Trick", 2025.

    Args:
        variance: σ² of the directional noise, in the units of the vectors. Without noise the values are exact, but
            codebooks trained so from the start fare worse.
    """

    def __init__(self, variance: float = 1e-3):
        super().__init__()
        if variance < 0:
            raise ValueError(f"variance is {variance}, but must not be negative")
        self.variance = variance

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        error = quantized - x
        length = torch.linalg.vector_norm(error, dim=-1, keepdim=True)
        aim = error.detach()
        if self.variance:
            aim = aim + self.variance**0.5 * torch.randn_like(aim)
        return Estimate(x + length * _direction(aim), x.new_zeros(()))


class CodewordGradient(Estimator):
    """The quantised values; their gradient reaches codewords and vectors alike, as if the error were constant."""

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        return Estimate(quantized + (x - x.detach()), x.new_zeros(()))


class StraightThrough(Estimator):
    """Straight-through: the gradient skips the quantiser, and two loss terms pull codewords and vectors together.

    van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, eq. 3, with means over all elements.

    Args:
        commitment: weight β of the term that pulls the vectors to their codewords.
    """

    def __init__(self, commitment: float = 0.25):
        super().__init__()
        self.commitment = commitment

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        codebook_loss = F.mse_loss(quantized, x.detach())
        commitment_loss = F.mse_loss(x, quantized.detach())
        return Estimate(self.carry(x, quantized.detach()), codebook_loss + self.commitment * commitment_loss)

    def carry(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        """The quantised values, with a gradient to x."""
        return x + (quantized - x).detach()


class RotationTrick(StraightThrough):
    """Straight-through, but the gradient is turned and scaled as the vector was on its way to its codeword.

    The values are λRx with fixed λ = ‖q‖/‖x‖ and R the rotation from x to q in the plane of both. Fifty et al.,
    "Restructuring Vector Quantization with the Rotation Trick", 2024, eq. 4.

    Args:
        commitment: weight β of the loss term that pulls the vectors to their codewords.
    """

    def carry(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        length = torch.linalg.vector_norm(x.detach(), dim=-1, keepdim=True)
        start, end = _direction(x.detach()), _direction(quantized)
        middle = _direction(start + end)
        turned = x - 2 * middle * _dot(middle, x) + 2 * end * _dot(start, x)
        scale = torch.where(length > EPS, torch.linalg.vector_norm(quantized, dim=-1, keepdim=True) / length, 1)
        values = scale * turned
        return values + (quantized - values).detach()  # exactly the codewords', whatever rounding made of them


class MovingAverage(StraightThrough):
    """EMA codebooks: each codeword follows the mean of its vectors; the gradient skips the quantiser.

    van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, appendix A.1. There the codeword is
    the ratio m/N of two averages, the sum and the number of its vectors; moving it by (1 − γ) Σ(x − c) / N is the same,
    and N is all there is to remember. Where a value is put together from several codewords, the vectors of each are
    what the others leave over.

    Args:
        commitment: weight β of the loss term that pulls the vectors to their codewords.
        decay: γ, the share of the averages that stays at each step.
    """

    counts: Float[Tensor, "M K"] | None

    def __init__(self, commitment: float = 0.25, decay: float = 0.99):
        super().__init__(commitment)
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, but must be at least 0 and less than 1")
        self.decay = decay
        self.register_buffer("counts", None)

    def attach(self, codebooks: Float[nn.Parameter, "M K d"]) -> None:
        codebooks.requires_grad_(False)
        # As if each codeword had been chosen once so far, so that the first few vectors do not decide where it goes
        self.counts = torch.ones(codebooks.shape[:2], device=codebooks.device)

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        return Estimate(self.carry(x, quantized), self.commitment * F.mse_loss(x, quantized.detach()))

    @torch.no_grad()
    def update(
        self,
        codebooks: Float[Tensor, "M K d"],
        indices: Int64[Tensor, "n M"],
        x: Float[Tensor, "n D"],
        quantized: Float[Tensor, "n D"],
    ) -> None:
        assert self.counts is not None
        stages, size, dim = codebooks.shape
        # What a codeword leaves over: its own part of the error, or all of it where values are sums
        errors = (x - quantized).unflatten(1, (-1, dim)).expand(-1, stages, -1)
        place = (indices + size * torch.arange(stages, device=indices.device)).flatten()
        chosen = (
            torch.zeros_like(self.counts).flatten().index_add_(0, place, torch.ones_like(place, dtype=torch.float32))
        )
        sums = torch.zeros_like(codebooks).flatten(0, 1).index_add_(0, place, errors.flatten(0, 1))
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(chosen)
            distributed.all_reduce(sums)
        self.counts.lerp_(chosen.view_as(self.counts), 1 - self.decay)
        codebooks += (1 - self.decay) * sums.view_as(codebooks) / self.counts.clamp(min=EPS).unsqueeze(2)


def _direction(vectors: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    """Vectors of length 1; where there is no direction, zeros."""
    return vectors / (torch.linalg.vector_norm(vectors, dim=-1, keepdim=True) + EPS)


def _dot(left: Float[Tensor, "n D"], right: Float[Tensor, "n D"]) -> Float[Tensor, "n 1"]:
    return (left * right).sum(-1, keepdim=True)
