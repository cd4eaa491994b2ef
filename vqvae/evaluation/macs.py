"""What the networks of a model cost, on any machine."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vqvae.codec.autoencoder import AutoEncoder


class Macs(NamedTuple):
    """Multiply-accumulates of encoder and decoder, for each pixel of the image."""

    encoder: float
    decoder: float


def macs_per_pixel(autoencoder: AutoEncoder) -> Macs:
    """Counts what a vector and its pixels take, without the search of the quantiser."""
    stride, quantizer = autoencoder.stride, autoencoder.quantizer
    image = torch.zeros(1, 3, stride, stride, device=quantizer.device)
    vector = torch.zeros(1, quantizer.dim, 1, 1, device=quantizer.device)
    encoder, decoder = count_macs(autoencoder.encoder, image), count_macs(autoencoder.decoder, vector)
    return Macs(encoder / stride**2, decoder / stride**2)


@torch.no_grad()
def count_macs(network: nn.Module, x: Float[Tensor, "..."]) -> int:
    """Multiply-accumulates of convolutions, transposed ones and linear layers, padding included, biases not."""
    with FlopCounterMode(display=False) as counter:
        network(x)
    return counter.get_total_flops() // 2  # multiplications and additions
