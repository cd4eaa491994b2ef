"""PSNR and SSIM of a training are those of the pixels, whatever the precision that the network computes in."""

from functools import partial
from statistics import fmean

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from tests.conftest import MANY_RATES, TINY_MODEL
from vqvae.codec.autoencoder import AutoEncoder, normalize, to_pixels, to_vectors
from vqvae.data.base import ImagesInMemory
from vqvae.evaluation.fidelity import ms_ssim, psnr, ssim
from vqvae.models.build import build_autoencoder
from vqvae.networks import VariableRateDecoder, VariableRateEncoder
from vqvae.quantizers import ProductResidualVQ
from vqvae.training import ImageCompression, RateDistortion, VariableRate


@pytest.fixture
def images() -> torch.Tensor:
    noise = torch.rand(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, size=(48, 48), mode="bilinear")
    return (200 + 55 * smooth).to(torch.uint8)  # little contrast, where half precision is far off


def measured(module: ImageCompression, images: torch.Tensor, precision: str) -> dict[str, float]:
    trainer = Trainer(accelerator="cpu", precision=precision, logger=False, enable_progress_bar=False)
    loader = DataLoader(ImagesInMemory(images), 4, collate_fn=lambda batch: batch)
    return dict(trainer.test(module, loader, verbose=False)[0])


class Noisy(AutoEncoder):
    """Gives what it is given, with noise, instead of what a network would."""

    def forward(self, images):
        found = super().forward(images)
        noise = 0.02 * torch.randn(images.shape, generator=torch.Generator().manual_seed(len(images)))
        return found._replace(images=(images + noise).bfloat16())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_tests_metrics_are_those_of_the_decoded_pixels(images, precision):
    autoencoder = build_autoencoder(TINY_MODEL)
    autoencoder.__class__ = Noisy
    module = ImageCompression(autoencoder, torch.optim.AdamW, partial(torch.optim.lr_scheduler.ConstantLR))
    metrics = measured(module, images, precision)
    with torch.no_grad():
        decoded = torch.cat([to_pixels(module.autoencoder(normalize(batch)).images) for batch in images.split(4)])
    pairs = [
        (one.permute(1, 2, 0).numpy(), other.permute(1, 2, 0).numpy())
        for one, other in zip(images, decoded, strict=True)
    ]
    assert metrics["test/ssim"] == pytest.approx(fmean(ssim(*pair) for pair in pairs), abs=1e-4)
    mse = fmean(np.square(a.astype(float) - b).mean() for a, b in pairs)
    assert metrics["test/psnr"] == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)


def many_rates(images: torch.Tensor) -> RateDistortion:
    schedule = partial(torch.optim.lr_scheduler.ConstantLR)
    return RateDistortion(build_autoencoder(MANY_RATES), torch.optim.AdamW, schedule, 0.1, 10.0, 2, 0.9)


def all_rates(images: torch.Tensor) -> VariableRate:
    """With the principal components of the images, and codebooks fitted to them."""
    sizes = {"dim": 6, "channels": [4, 8, 8], "blocks": [1, 1, 1]}
    quantizer = ProductResidualVQ(6, pieces=2, stages=2, codebook_size=8)
    autoencoder = AutoEncoder(VariableRateEncoder(**sizes), quantizer, VariableRateDecoder(**sizes))
    schedule = partial(torch.optim.lr_scheduler.ConstantLR)
    module = VariableRate(autoencoder, torch.optim.AdamW, schedule, 1.0, 100.0, 2, [10.0], 0.9)
    blocks = to_vectors(torch.nn.functional.pixel_unshuffle(normalize(images), 8))
    basis = torch.linalg.eigh(blocks.T.cov())[1].T.flip(0)[:6].unflatten(1, (3, 8, 8))
    for network in (autoencoder.encoder, autoencoder.decoder):
        network.initialize_from_basis(basis, blocks.mean(0).view(3, 8, 8))
    with torch.no_grad():
        module.fit_codebooks(module.vectors(images), 3)
    return module


@pytest.mark.parametrize("make", [many_rates, all_rates])
def test_metrics_of_many_rates_are_finite_in_mixed_precision(images, make):
    module = make(images)
    exact, mixed = (measured(module, images, precision) for precision in ("32-true", "bf16-mixed"))
    assert mixed["test/ssim"] == pytest.approx(exact["test/ssim"], abs=0.01)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("measure", [psnr, ssim, ms_ssim])
def test_measures_do_not_depend_on_the_callers_precision(dtype, measure):
    draws = np.random.default_rng(0)
    image = draws.integers(0, 200, (180, 180, 3)).astype(np.uint8)
    other = image + draws.integers(0, 9, image.shape).astype(np.uint8)
    expected = measure(image, other)
    with torch.autocast("cpu", dtype):
        assert measure(image, other) == expected
