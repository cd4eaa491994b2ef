import numpy as np
import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ConstantLR

from tests.speech.conftest import vowel
from vqvae.quantizers import ResidualVQ
from vqvae.speech.codec import FULL_SCALE
from vqvae.speech.envelope import log_energies, uniform_edges
from vqvae.speech.mdct import FRAME, mdct
from vqvae.training.speech import LogisticMixture, SpeechCompression

BANDS = 16
EDGES = uniform_edges(BANDS)


@pytest.fixture
def module() -> SpeechCompression:
    torch.manual_seed(0)
    interpolation = torch.eye(BANDS).repeat_interleave(FRAME // BANDS, 1)
    quantizer = ResidualVQ(BANDS, 4, 4)
    return SpeechCompression(quantizer, EDGES.tolist(), interpolation, torch.zeros(BANDS), SGD, ConstantLR)


@pytest.fixture(scope="module")
def spectrum() -> torch.Tensor:
    return torch.from_numpy(mdct(vowel(2).astype(np.float64) * FULL_SCALE)).float()


def test_the_density_is_one():
    density, x = LogisticMixture(), torch.linspace(-60, 60, 120001)
    assert torch.trapezoid(torch.exp2(density(x)), x).item() == pytest.approx(1, abs=1e-4)
    assert torch.equal(density(x), density(-x))


def test_envelopes_are_those_of_the_codec(module, spectrum):
    np.testing.assert_allclose(module.vectors(spectrum), log_energies(spectrum.double().numpy(), EDGES), atol=1e-4)


def test_the_loss_is_the_information_at_a_fine_step(module):
    deviations = torch.exp2(torch.linspace(2, 8, BANDS)).repeat_interleave(FRAME // BANDS)
    batch = torch.randn(4000, FRAME) * deviations
    with torch.no_grad():
        module.density.logits.copy_(torch.tensor([0.0, -50, -50]))
        module.density.log_scales[0] = np.log(3**0.5 / np.pi)  # variance 1
    bits = module.bits_per_bin(batch, 2 * torch.linspace(2, 8, BANDS).expand(len(batch), -1))
    gaussian = 0.5 * np.log2(2 * np.pi * np.e) + 5  # differential entropy, with the mean log2 deviation
    assert gaussian < bits.item() < gaussian + 0.05


def test_the_code_length_trains_the_codebooks(module, spectrum):
    module.fit_codebooks(spectrum, 3)
    module.log = lambda *args, **kwargs: None
    loss = module.training_step(spectrum, 0)["loss"]
    loss.backward()
    gradient = module.quantizer.codebooks.grad
    assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
    assert module.density.log_scales.grad.abs().sum() > 0


def test_a_fitted_density_costs_what_a_search_over_one_scale_finds_or_less(module, spectrum):
    module.fit_codebooks(spectrum, 3)
    values = module.quantizer.decode(module.quantizer.encode(module.vectors(spectrum))).detach()
    fitted = module.bits_per_bin(spectrum, values).item()
    with torch.no_grad():
        module.density.logits.copy_(torch.tensor([0.0, -50, -50]))
        single = []
        for scale in torch.linspace(-3, 1, 41):
            module.density.log_scales[0] = scale
            single.append(module.bits_per_bin(spectrum, values).item())
    assert fitted < min(single) + 1e-3
