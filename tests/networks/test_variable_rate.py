"""Networks that know their rate."""

import pytest
import torch

from vqvae.networks import VariableRateDecoder, VariableRateEncoder
from vqvae.networks.variable_rate import NODES, RateGain

SIZES = {"dim": 6, "channels": [4, 8, 8], "blocks": [1, 2, 1]}


@pytest.fixture
def networks() -> tuple[VariableRateEncoder, VariableRateDecoder]:
    torch.manual_seed(0)
    pair = VariableRateEncoder(**SIZES).double(), VariableRateDecoder(**SIZES).double()
    for network in pair:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)  # those that begin as zero, too
    return pair


@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 40), (8, 8)])
def test_vectors_are_at_an_eighth_of_the_resolution(networks, height, width):
    encoder, decoder = networks
    latent = encoder(torch.randn(2, 3, height, width).double(), 0.3)
    assert latent.shape == (2, 6, height // 8, width // 8)
    assert decoder(latent, 0.3).shape == (2, 3, height, width)


def test_each_image_of_a_batch_has_its_own_rate(networks):
    encoder, decoder = networks
    images, rates = torch.randn(3, 3, 16, 16).double(), torch.tensor([0.0, 0.4, 1.0])
    together = decoder(encoder(images, rates), rates)
    alone = torch.cat([decoder(encoder(i[None], float(r)), float(r)) for i, r in zip(images, rates, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(together, decoder(encoder(images, 0.0), 0.0))


def test_gains_are_those_of_the_nodes_and_linear_in_between():
    gain = RateGain(2)
    torch.nn.init.normal_(gain.gains)
    x, nodes = torch.ones(NODES, 2, 1, 1), torch.linspace(0, 1, NODES)
    torch.testing.assert_close(gain(x, nodes)[..., 0, 0], 1 + gain.gains)
    between = gain(x[:1], (nodes[3:4] + nodes[4:5]) / 2)[0, :, 0, 0]
    torch.testing.assert_close(between, 1 + (gain.gains[3] + gain.gains[4]) / 2)


def test_new_networks_are_the_lapped_transform_alone_at_every_rate():
    encoder, decoder = VariableRateEncoder(**SIZES), VariableRateDecoder(**SIZES)
    image = torch.randn(1, 3, 16, 24)
    latent = encoder.linear(image)
    for rate in (0.0, 0.37, 1.0):
        torch.testing.assert_close(encoder(image, rate), latent)
        torch.testing.assert_close(decoder(latent, rate), decoder.linear(latent))


def test_nothing_beyond_its_reach_changes_what_comes_out(networks):
    encoder, decoder = networks
    middle = 2 * (max(encoder.reach, decoder.reach) // 2 + 1)
    side = 2 * middle
    for place in (middle, middle + 1):  # blocks at 1/16 of the resolution cover two vectors
        image, latent = (
            torch.randn(1, c, s, s, dtype=torch.float64, requires_grad=True) for c, s in ((3, 8 * side), (6, side))
        )
        encoder(image, 0.5)[..., place, place].sum().backward()
        decoder(latent, 0.5)[..., 8 * place : 8 * place + 8, 8 * place : 8 * place + 8].sum().backward()
        for given, reach, size in ((image, encoder.reach, 8), (latent, decoder.reach, 1)):
            touched = given.grad.abs().sum((0, 1)).nonzero()
            assert touched.min() >= size * (place - reach) and touched.max() < size * (place + reach + 1)


def test_vectors_keep_full_precision_under_autocast(networks):
    encoder = networks[0].float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert encoder(torch.randn(1, 3, 16, 16), 0.5).dtype == torch.float32


def test_levels_must_be_three():
    with pytest.raises(ValueError, match=r"channels=\[4, 8\] and blocks=\[1, 1, 1\] must have three entries"):
        VariableRateEncoder(6, [4, 8], [1, 1, 1])
