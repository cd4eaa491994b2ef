"""Encoder and decoder."""

import pytest
import torch

from tests.contracts.configs import names
from vqvae.networks import ConvDecoder, ConvEncoder, LappedDecoder, LappedEncoder

SIZES = {"dim": 6, "channels": [4, 8, 12], "hidden": [4, 4, 4], "blocks": [1, 0, 2]}
COARSE = {"dim": 6, "channels": [8, 12], "hidden": [4, 4], "blocks": [0, 2], "patch": 4}
PAIRS = {
    "conv": (ConvEncoder, ConvDecoder, SIZES),
    "conv without blocks": (ConvEncoder, ConvDecoder, {**SIZES, "blocks": [0, 0, 0]}),
    "conv with many blocks": (ConvEncoder, ConvDecoder, {**SIZES, "blocks": [2, 3, 1]}),
    "conv by patches": (ConvEncoder, ConvDecoder, COARSE),
    "lapped": (LappedEncoder, LappedDecoder, COARSE),
    "lapped without blocks": (LappedEncoder, LappedDecoder, {**COARSE, "blocks": [0, 0]}),
}


@pytest.fixture(params=PAIRS)
def networks(request: pytest.FixtureRequest) -> list[torch.nn.Module]:
    make_encoder, make_decoder, sizes = PAIRS[request.param]
    networks = [make_encoder(**sizes).double(), make_decoder(**sizes).double()]
    for network in networks:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)  # those that begin as zero, too
    return networks


def test_a_level_halves_the_resolution_and_the_decoder_doubles_it_back(networks):
    encoder, decoder = networks
    latent = encoder(torch.randn(2, 3, 24, 40).double())
    assert encoder.stride == 8 and latent.shape == (2, 6, 3, 5)
    assert decoder(latent).shape == (2, 3, 24, 40)


def test_every_parameter_takes_part(networks):
    encoder, decoder = networks
    decoder(encoder(torch.randn(1, 3, 16, 16).double())).square().sum().backward()
    assert all((p.grad != 0).any() for network in networks for p in network.parameters())


def test_nothing_beyond_its_reach_changes_what_comes_out(networks):
    encoder, decoder = networks
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


def test_lapped_transforms_begin_as_a_projection_onto_the_basis_of_each_block():
    encoder, decoder = LappedEncoder(**COARSE), LappedDecoder(**COARSE)
    basis = torch.linalg.qr(torch.randn(192, 6))[0].T
    mean = torch.randn(3, 1, 1).expand(3, 8, 8)
    for network in (encoder, decoder):
        network.initialize_from_basis(basis.unflatten(1, (3, 8, 8)), mean)
    image = torch.randn(1, 3, 16, 24)
    blocks = image.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5).flatten(3)  # 1, 2, 3, 192
    projected = (blocks - mean.flatten()) @ basis.T @ basis + mean.flatten()
    expected = projected.unflatten(3, (3, 8, 8)).permute(0, 3, 1, 4, 2, 5).reshape(1, 3, 16, 24)
    torch.testing.assert_close(decoder(encoder(image)), expected, rtol=1e-4, atol=1e-4)


def test_levels_without_blocks_of_their_own_are_refused():
    with pytest.raises(ValueError, match=r"channels=\[4, 8\], hidden=\[4, 4\] and blocks=\[1\]"):
        ConvEncoder(6, [4, 8], [4, 4], [1])
    with pytest.raises(ValueError, match=r"hidden=\[4\]"):
        ConvDecoder(6, [4, 8], [4], [1, 1])
    with pytest.raises(ValueError, match="one entry each per level"):
        ConvDecoder(6, [], [], [])


def test_there_is_a_config_for_the_default_and_for_quick_tries():
    assert {"medium", "small"} <= set(names("network"))
