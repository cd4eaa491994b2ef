"""Multiply-accumulates against counts by hand."""

import pytest
import torch
from torch import nn

from vqvae.codec.autoencoder import AutoEncoder
from vqvae.evaluation.macs import count_macs, macs_per_pixel
from vqvae.networks import ConvDecoder, ConvEncoder
from vqvae.quantizers import VQ


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_encoder_and_decoder_by_hand(device):
    """At half the resolution a vector has four places, at a quarter one."""
    with torch.device(device):
        encoder = ConvEncoder(dim=6, channels=[4, 8], hidden=[3, 5], blocks=[1, 2])
        decoder = ConvDecoder(dim=6, channels=[4, 8], hidden=[3, 5], blocks=[3, 1])
        model = AutoEncoder(encoder, VQ(dim=6, codebook_bits=1), decoder)
    fine_block, coarse_block = 4 * 3 * 9 + 3 * 4, 8 * 5 * 9 + 5 * 8
    encoded = 4 * (12 * 4 * 9 + fine_block) + 4 * 8 * 16 + 2 * coarse_block + 8 * 6
    decoded = 6 * 8 * 9 + coarse_block + 8 * (4 * 4) + 4 * (3 * fine_block + 4 * 12 * 9)
    assert macs_per_pixel(model) == (encoded / 16, decoded / 16)


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, padding=1, groups=2), (1, 4, 5, 7), 5 * 7 * 6 * (4 // 2) * 9),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 7), 5 * 7 * 4 * 6 * 4),
        (nn.Linear(4, 6), (5, 7, 4), 5 * 7 * 4 * 6),
        (nn.Sequential(nn.SiLU(), nn.PixelShuffle(2)), (1, 4, 5, 7), 0),
    ],
)
def test_layers_by_hand(layer, shape, macs):
    assert count_macs(layer, torch.zeros(shape)) == macs
