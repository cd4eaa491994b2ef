"""The shipped models, on real images."""

import pytest
import torch

from vqvae.autoencoder import normalize, to_pixels
from vqvae.codec import Codec
from vqvae.evaluation import evaluate_image
from vqvae.images import read_image
from vqvae.model_file import load_codec, read_model
from vqvae.pretrained import DEFAULT, find_model, find_model_of, shipped_models

LEAST_PSNR = {"cifar10-avq-16": 27.9, "cifar10-rvq-16": 28.0}  # dB on the first images of the CIFAR10 test set
IMAGES = 1000


@pytest.fixture(scope="module", params=sorted(shipped_models()))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def psnr_dataset(codec: Codec, images: torch.Tensor) -> float:
    error = 0.0
    with torch.inference_mode():
        for batch in images.split(100):
            decoded = to_pixels(codec.autoencoder(normalize(batch)).images)
            error += float((decoded.float() - batch.float()).square().sum())
    return float(10 * torch.log10(torch.tensor(255**2 * images.numel() / error)))


def test_every_shipped_model_has_a_quality_to_keep():
    assert set(LEAST_PSNR) == set(shipped_models()) and DEFAULT in LEAST_PSNR


def test_a_shipped_model_keeps_its_quality_on_real_images(name, cifar10_test):
    assert psnr_dataset(load_codec(find_model(name)), cifar10_test[:IMAGES]) > LEAST_PSNR[name]


def test_sixteen_bits_a_vector_are_one_bit_a_pixel(name):
    autoencoder = load_codec(find_model(name)).autoencoder
    assert (autoencoder.quantizer.bits_per_vector, autoencoder.bits_per_pixel) == (16, 1.0)


def test_a_photograph_it_never_saw_comes_back_recognisably(name, data_root):
    image = read_image(data_root / "kodak" / "kodim23.png")[:255, :333]
    measured = evaluate_image(load_codec(find_model(name)), "kodim23", image)
    assert measured.figures()["psnr"] > 26


def test_a_shipped_model_is_small_and_found_by_its_fingerprint(name):
    path = find_model(name)
    assert path.stat().st_size < 4e6
    assert find_model_of(read_model(path).fingerprints.whole[:3]) == path


def test_what_a_shipped_model_tells_of_its_training_names_no_folder(name):
    assert "/" not in str(read_model(find_model(name)).about)
