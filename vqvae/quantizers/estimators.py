"""How gradients pass the argmin of a quantiser: each estimator works for every quantiser."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EPS = 1e-12


class Estimate(NamedTuple):
    """Differentiable values to go on with, and what to add to the training loss."""

    values: Float[Tensor, "n D"]
    loss: Float[Tensor, ""]


class Estimator(ABC):
    """Stands in for the quantiser's step function while training."""

    @abstractmethod
    def __call__(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        """Makes the quantisation of x differentiable.

        Args:
            x: the vectors before quantisation, with gradients to the encoder.
            quantized: their quantised values, with gradients to the codebooks.
        """


class NSVQ(Estimator):
    """Noise substitution: the error is replaced by Gaussian noise of the same length.

    x + ‖x − q(x)‖ · v/‖v‖ with v ~ N(0, I): the length carries the gradients to encoder and codebooks alike,
    so no loss term is needed. Vali and Bäckström, "NSVQ: Noise Substitution in Vector Quantization for Machine
    Learning", IEEE Access 2022, eq. 2.
    """

    def __call__(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        noise = torch.randn_like(x)
        direction = noise / (torch.linalg.vector_norm(noise, dim=-1, keepdim=True) + EPS)
        length = torch.linalg.vector_norm(x - quantized, dim=-1, keepdim=True)
        return Estimate(x + length * direction, x.new_zeros(()))


class DiVeQ(Estimator):
    """The quantised values themselves, reached from x along a fixed direction by a length that carries the gradients.

    x + ‖x − q(x)‖ · sg[d/‖d‖] with d = q(x) − x: as in NSVQ the length trains encoder and codebooks alike without a
    loss term, but what goes on to the decoder is what it will decode later. Vali et al., "DiVeQ: Differentiable
    Vector Quantization Using the Reparameterization Trick", 2025, in the limit of no directional noise.
    """

    def __call__(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        error = quantized - x
        length = torch.linalg.vector_norm(error, dim=-1, keepdim=True)
        direction = (error / (length + EPS)).detach()
        return Estimate(x + length * direction, x.new_zeros(()))


class StraightThrough(Estimator):
    """Straight-through: the gradient skips the quantiser, and two loss terms pull codewords and vectors together.

    van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, eq. 3, with means over all elements.

    Args:
        commitment: weight β of the term that pulls the vectors to their codewords.
    """

    def __init__(self, commitment: float = 0.25):
        self.commitment = commitment

    def __call__(self, x: Float[Tensor, "n D"], quantized: Float[Tensor, "n D"]) -> Estimate:
        codebook_loss = F.mse_loss(quantized, x.detach())
        commitment_loss = F.mse_loss(x, quantized.detach())
        return Estimate(x + (quantized - x).detach(), codebook_loss + self.commitment * commitment_loss)
