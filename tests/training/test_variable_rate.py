"""Training for all rates at once: choices, the gradient of the rate, and what a step does."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder, normalize, to_grid, to_pixels, to_vectors
from vqvae.entropy import Uniform
from vqvae.errors import ConfigError
from vqvae.formats import ModelId
from vqvae.networks import LappedDecoder, LappedEncoder, VariableRateDecoder, VariableRateEncoder
from vqvae.quantizers import DiVeQ, ProductResidualVQ, ProductVQ
from vqvae.training import VariableRate
from vqvae.training.muon import ConvMuon, orthogonalize
from vqvae.training.rate_choice import RateModel
from vqvae.training.schedules import warmup_hold_decay

RATES = {"lambda_min": 4.0, "lambda_max": 4000.0, "levels": 4, "stage_lambdas": [500.0, 50.0], "decay": 0.5}


@pytest.fixture
def quantizer() -> ProductResidualVQ:
    torch.manual_seed(0)
    quantizer = ProductResidualVQ(6, pieces=2, stages=3, codebook_size=5)
    quantizer.codebooks.data.normal_(std=0.2)
    return quantizer


@pytest.fixture
def rates(quantizer) -> RateModel:
    rates = RateModel(quantizer, **RATES)
    rates.counts.copy_(torch.rand_like(rates.counts) + 0.01)
    return rates


def test_levels_go_from_the_lowest_rate_to_the_highest_with_more_and_more_stages(rates):
    torch.testing.assert_close(rates.lambdas * 127.5**2, torch.tensor([4000.0, 400.0, 40.0, 4.0]))
    assert rates.stages == [1, 2, 3, 3]
    assert [len(rates.bits(level)) for level in range(4)] == [2, 4, 6, 6]


@pytest.mark.parametrize("level", range(4))
def test_each_stage_chooses_the_least_distance_plus_bits(quantizer, rates, level):
    x = 0.3 * torch.randn(50, 6)
    found = rates.choose(quantizer, x, level).indices
    remainder = x.unflatten(1, (2, 3))
    for place, bits in enumerate(rates.bits(level)):
        stage, piece = divmod(place, 2)
        codebook = quantizer.codebooks[place].detach()
        costs = torch.cdist(remainder[:, piece], codebook).square() + rates.lambdas[level] * bits
        assert torch.equal(found[:, place], costs.argmin(1))
        remainder[:, piece] -= codebook[found[:, place]]
        assert stage < rates.stages[level]


@pytest.mark.parametrize("level", range(4))
def test_the_gradient_is_that_of_the_expected_bits(quantizer, rates, level):
    x = (0.3 * torch.randn(20, 6)).requires_grad_()
    choice = rates.choose(quantizer, x.detach(), level)
    remainder, expected = x, torch.zeros(())
    for stage in range(rates.stages[level]):
        for piece, part in enumerate(remainder.unflatten(1, (2, 3)).unbind(1)):
            place, lmbda = 2 * stage + piece, rates.lambdas[level]
            costs = (part.unsqueeze(1) - quantizer.codebooks[place].detach()).square().sum(2)
            costs = costs + lmbda * rates.bits(level)[place]
            expected = expected + ((-costs * math.log(2) / lmbda).softmax(1) * rates.bits(level)[place]).sum()
        chosen = choice.indices[:, : 2 * stage + 2]
        remainder = x - quantizer.decode(chosen).detach()
    expected.backward()
    torch.testing.assert_close(choice.gradient, x.grad, rtol=1e-3, atol=1e-3)


def test_fitting_codes_better_than_the_codebooks_before(quantizer, rates):
    x = torch.randn(2000, 6) * torch.tensor([1.0, 0.5, 0.1, 0.8, 0.3, 0.05])

    @torch.no_grad()
    def cost(level: int) -> float:
        indices = rates.choose(quantizer, x, level).indices
        bits = rates.bits(level).gather(1, indices.T).sum()
        return float((x - quantizer.decode(indices)).square().sum() + rates.lambdas[level] * bits)

    before = [cost(level) for level in range(4)]
    rates.fit(quantizer, x, iterations=5)
    assert all(cost(level) < 0.7 * old for level, old in enumerate(before))


def make(quantizer, encoder=VariableRateEncoder, decoder=VariableRateDecoder, **sizes) -> VariableRate:
    sizes = sizes or {"channels": [4, 8, 8], "blocks": [1, 1, 1]}
    autoencoder = AutoEncoder(encoder(6, **sizes), quantizer, decoder(6, **sizes))
    return VariableRate(autoencoder, partial(torch.optim.SGD, lr=0.1), warmup_hold_decay, **RATES)


def test_a_step_moves_networks_and_codebooks_of_all_stages(quantizer):
    quantizer.set_estimator(DiVeQ(variance=0.0))
    module = make(quantizer)
    module.log = lambda *arguments, **options: None  # there is no trainer
    batch = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    loss = module.training_step(batch, 0)["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert all((codebook != 0).any() for codebook in quantizer.codebooks.grad)
    assert module.autoencoder.encoder.transform.weight.grad.abs().sum() > 0
    assert (module.running_distortion > 0).all()


def test_indices_for_an_entropy_model_are_those_that_the_codec_takes(quantizer):
    module = make(quantizer)
    codec = ImageCodec(module.autoencoder, Uniform(6, 3), ModelId(bytes(32), bytes(32)))
    batch = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    found = module.eval().indices(batch)
    for level, image in enumerate(batch):  # a batch of four has an image of each of the four levels
        taken = codec.indices(image.permute(1, 2, 0)[None].numpy(), quality=100 * level / 3)
        assert np.array_equal(found[level], taken[0])


def test_a_curve_is_of_the_indices_chosen_at_each_level(quantizer):
    module = make(quantizer).eval()
    module.rates.counts.copy_(torch.rand_like(module.rates.counts) + 0.01)
    batch = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        curve = list(module.curve(batch))
    assert len(curve) == 4 and all(point.pixels.shape == batch.shape for point in curve)
    for level, point in enumerate(curve):
        latent = module.autoencoder.analysis(normalize(batch), level / 3)
        indices = module.rates.choose(quantizer, to_vectors(latent), level).indices
        bits = sum(float(module.rates.bits(level)[place, index]) for row in indices for place, index in enumerate(row))
        assert float(point.bits) == pytest.approx(bits, rel=1e-4)
        values = to_grid(quantizer.decode(indices), latent)
        assert torch.equal(point.pixels, to_pixels(module.autoencoder.synthesis(values, level / 3)))


def test_what_cannot_be_trained_so_is_refused():
    with pytest.raises(ConfigError, match="set quantizer=prvq"):
        make(ProductVQ(6, 2, codebook_size=5))
    lapped = {"channels": [4, 8], "hidden": [4, 4], "blocks": [0, 0]}
    with pytest.raises(ConfigError, match="set network=variable_rate"):
        make(ProductResidualVQ(6, 2, 2, codebook_size=5), LappedEncoder, LappedDecoder, **lapped)


def test_rates_that_make_no_sense_are_refused(quantizer):
    with pytest.raises(ConfigError, match="0 < lambda_min < lambda_max"):
        RateModel(quantizer, **{**RATES, "lambda_min": 4000.0})
    with pytest.raises(ConfigError, match="stage_lambdas has 3 entries"):
        RateModel(quantizer, **{**RATES, "stage_lambdas": [500.0, 50.0, 5.0]})


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (32, 32)])
def test_orthogonalised_matrices_keep_their_directions_and_lose_their_lengths(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonalize(matrix) @ right.T  # diagonal, if the directions are the same
    lengths = inside.diagonal()
    assert (lengths > 0.6).all() and (lengths < 1.3).all()
    assert (inside - lengths.diag()).abs().max() < 0.15


def test_muon_takes_wide_convolutions_and_adamw_the_rest():
    torch.manual_seed(0)
    wide, narrow = (torch.nn.Parameter(torch.randn(shape)) for shape in ((40, 40, 3, 3), (4, 40, 1, 1)))
    twin = torch.nn.Parameter(narrow.detach().clone())
    muon, adamw = ConvMuon([wide, narrow], lr=0.01), torch.optim.AdamW([twin], 0.01, (0.9, 0.99), weight_decay=1e-4)
    start = wide.detach().clone()
    for _ in range(3):
        wide.grad, narrow.grad = torch.randn_like(wide), torch.randn_like(narrow)
        twin.grad = narrow.grad.clone()
        muon.step()
        adamw.step()
    torch.testing.assert_close(narrow, twin)
    step = (wide - start).flatten(1) / 3
    assert 0.05 < step.square().mean().sqrt() / 0.01 < 0.3  # of the size of AdamW's, about 0.2


def test_the_learning_rate_rises_stays_and_falls():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    schedule = warmup_hold_decay(optimizer, total_steps=100, warmup=10, decay=0.2)
    seen = []
    for _ in range(100):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert seen[0] == pytest.approx(0.2) and seen[9:81] == pytest.approx([2.0] * 72)
    assert seen[90] == pytest.approx(2.0 * 9 / 19) and seen[99] == 0
