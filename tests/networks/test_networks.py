"""Encoder and decoder."""

import pytest
import torch

from tests.contracts.configs import names
from vqvae.networks import ConvDecoder, ConvEncoder

SIZES = {"dim": 6, "channels": [4, 8, 12], "hidden": [4, 4, 4], "blocks": [1, 0, 2]}


def test_a_level_halves_the_resolution_and_the_decoder_doubles_it_back():
    encoder, decoder = ConvEncoder(**SIZES), ConvDecoder(**SIZES)
    latent = encoder(torch.randn(2, 3, 24, 40))
    assert encoder.stride == 8 and latent.shape == (2, 6, 3, 5)
    assert decoder(latent).shape == (2, 3, 24, 40)


def test_every_parameter_takes_part():
    encoder, decoder = ConvEncoder(**SIZES), ConvDecoder(**SIZES)
    decoder(encoder(torch.randn(1, 3, 16, 16))).square().sum().backward()
    assert all((p.grad != 0).any() for network in (encoder, decoder) for p in network.parameters())


@pytest.mark.parametrize("blocks", [[1, 0, 2], [0, 0, 0], [2, 3, 1]])
def test_nothing_beyond_its_reach_changes_what_comes_out(blocks):
    sizes = {**SIZES, "blocks": blocks}
    encoder, decoder = ConvEncoder(**sizes).double(), ConvDecoder(**sizes).double()
    side = 8 * 2 * max(encoder.reach, decoder.reach) + 8
    image, latent = (
        torch.randn(1, c, s, s, dtype=torch.float64, requires_grad=True) for c, s in ((3, side), (6, side // 8))
    )
    middle = side // 16
    encoder(image)[..., middle, middle].sum().backward()
    decoder(latent)[..., 8 * middle : 8 * middle + 8, 8 * middle : 8 * middle + 8].sum().backward()
    for given, reach, size in ((image, encoder.reach, 8), (latent, decoder.reach, 1)):
        touched = given.grad.abs().sum((0, 1)).nonzero()
        assert touched.min() >= size * (middle - reach) and touched.max() < size * (middle + reach + 1)


def test_levels_without_blocks_of_their_own_are_refused():
    with pytest.raises(ValueError, match=r"channels=\[4, 8\], hidden=\[4, 4\] and blocks=\[1\]"):
        ConvEncoder(6, [4, 8], [4, 4], [1])
    with pytest.raises(ValueError, match=r"hidden=\[4\]"):
        ConvDecoder(6, [4, 8], [4], [1, 1])
    with pytest.raises(ValueError, match="one entry each per level"):
        ConvDecoder(6, [], [], [])


def test_there_is_a_config_for_the_default_and_for_quick_tries():
    assert {"medium", "small"} <= set(names("network"))
