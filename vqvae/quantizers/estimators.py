"""How gradients pass the argmin of a quantiser, and what moves its codebooks; for every quantiser alike."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, distributed, nn

from vqvae.errors import UsageError
from vqvae.quantizers.inputs import check_finite

EPS = 1e-12


class Estimate(NamedTuple):
    """Differentiable values for the decoder, and what to add to the training loss."""

    values: Float[Tensor, "n D"]
    loss: Float[Tensor, ""]


class Estimator(nn.Module, ABC):
    """Replaces the quantiser's step function in training by something differentiable (`Quantizer.set_estimator`)."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        """Makes the quantisation of x differentiable.

        Args:
            x: the vectors before quantisation, with gradients to the encoder.
            quantized: their quantised values, with gradients to the codebooks.
        """

    def attach(self, codebooks: Float[nn.Parameter, "M K d"]) -> None:
        """Prepares for these codebooks: here, they are trained by their gradients."""
        codebooks.requires_grad_(True)

    def update(
        self,
        codebooks: Float[Tensor, "M K d"],
        indices: Int64[Tensor, "n m"],
        x: Float[Tensor, "n D"],
        quantized: Float[Tensor, "n D"],
    ) -> None:
        """Updates the codebooks in place after a training batch, where that is not left to their gradients.

        Args:
            codebooks: the codebooks.
            indices: the codewords chosen; those of the first codebooks only, where x was quantised by a prefix.
            x: the vectors before quantisation.
            quantized: their quantised values.
        """

    def advance(self, progress: float, codebooks: Float[nn.Parameter, "M K d"] | None) -> None:
        """Called before each training batch.

        Args:
            progress: the fraction of the training that is done.
            codebooks: those that the estimator is attached to; None if the quantiser has none.
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
    """The quantised values, written as x plus a fixed direction times a length that carries the gradients.

    x + ‖x − q(x)‖ · sg[v/‖v‖] with v ~ N(q(x) − x, σ² I): as in NSVQ the length trains encoder and codebooks alike
    without a loss term, but the decoder sees what it will decode later, or close to it. Vali et al.,
    "DiVeQ: Differentiable Vector Quantization Using the Reparameterization Trick", 2025.

    Args:
        variance: σ² of the directional noise, in the units of the vectors. Without noise the values are exact, but
            codebooks trained this way from the start have larger errors.
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
        codebook_loss = _mean_squared_error(quantized, x.detach())
        commitment_loss = _mean_squared_error(x, quantized.detach())
        return Estimate(self.carry(x, quantized.detach()), codebook_loss + self.commitment * commitment_loss)

    def carry(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        """The quantised values, with a gradient to x."""
        return x + (quantized - x).detach()


class RotationTrick(StraightThrough):
    """Straight-through, but the gradient is rotated and scaled as the vector was to become its codeword.

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
        return values + (quantized - values).detach()  # exactly the codewords', without rounding


class MovingAverage(StraightThrough):
    """EMA codebooks: each codeword follows the mean of its vectors; the gradient skips the quantiser.

    van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, appendix A.1. There the codeword is
    the ratio m/N of two averages, the sum and the number of its vectors; moving it by (1 − γ) Σ(x − c) / N is the same,
    and N is the only state. Where a value is a sum of codewords, the vectors of each are what the others leave over.

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
        # As if each codeword had been chosen once so far, so that the first few vectors do not determine it
        self.counts = torch.ones(codebooks.shape[:2], device=codebooks.device, dtype=torch.float32)

    def forward(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        return Estimate(self.carry(x, quantized), self.commitment * _mean_squared_error(x, quantized.detach()))

    @torch.no_grad()
    def update(
        self,
        codebooks: Float[Tensor, "M K d"],
        indices: Int64[Tensor, "n m"],
        x: Float[Tensor, "n D"],
        quantized: Float[Tensor, "n D"],
    ) -> None:
        assert self.counts is not None
        if codebooks.dtype in (torch.float16, torch.bfloat16):
            kind = str(codebooks.dtype).removeprefix("torch.")
            raise UsageError(f"MovingAverage cannot add small steps to {kind} codebooks: keep the quantiser in float32")
        check_finite(x)
        used, size, dim = indices.shape[1], codebooks.shape[1], codebooks.shape[2]  # the first stages only, perhaps
        # What a codeword leaves over: the error of its piece
        errors = (x - quantized).float().unflatten(1, (-1, dim))
        errors = errors.repeat(1, used // errors.shape[1], 1)
        place = (indices + size * torch.arange(used, device=indices.device)).flatten()
        chosen = errors.new_zeros(used * size).index_add_(0, place, torch.ones_like(place, dtype=torch.float32))
        sums = errors.new_zeros(used * size, dim).index_add_(0, place, errors.flatten(0, 1))
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(chosen)
            distributed.all_reduce(sums)
        counts = self.counts[:used].lerp_(chosen.view(used, size).to(self.counts.dtype), 1 - self.decay)
        codebooks[:used] += (1 - self.decay) * sums.view(used, size, dim) / counts.clamp(min=EPS).unsqueeze(2)


def _mean_squared_error(x: Float[Tensor, "n D"], other: Float[Tensor, "n D"]) -> Float[Tensor, ""]:
    """The mean over all elements; 0 for none."""
    return (x - other).square().sum() / max(1, x.numel())


def _direction(vectors: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    """Vectors of length 1; where there is no direction, zeros."""
    return vectors / (torch.linalg.vector_norm(vectors, dim=-1, keepdim=True) + EPS)


def _dot(left: Float[Tensor, "n D"], right: Float[Tensor, "n D"]) -> Float[Tensor, "n 1"]:
    return (left * right).sum(-1, keepdim=True)
