"""Indices found by refining latents through the decoder."""

import numpy as np
import pytest
import torch

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import normalize
from vqvae.codec.rate_control import decode_vectors
from vqvae.codec.refinement import EFFORT_STEPS
from vqvae.codec.transform import ImageTransform
from vqvae.errors import UsageError

QUALITY = 60.0


@pytest.fixture
def image(photo) -> np.ndarray:
    return photo[:64, :70]


@torch.no_grad()
def cost(codec: ImageCodec, image: np.ndarray, indices: np.ndarray) -> float:
    """Squared error before rounding + λ · bits, computed without tiles."""
    autoencoder, lmbda = codec.autoencoder, codec.chooser.lambda_range.lmbda(QUALITY)
    height, width, _ = image.shape
    decoded = autoencoder.decode(torch.from_numpy(indices))[:, :, :height, :width]
    error = (decoded - normalize(torch.from_numpy(image).permute(2, 0, 1)[None])).square().sum()
    vectors = np.concatenate(list(codec.transform.analysis(image[None])), 1)
    scale = codec.transform.error_scale(vectors, decode_vectors(autoencoder.quantizer, plain(codec, image)), None)
    return float(error) + scale * lmbda * float(codec.entropy_model.bits(indices)[0])


def plain(codec: ImageCodec, image: np.ndarray) -> np.ndarray:
    return codec.indices(image[None], QUALITY)


def search(codec: ImageCodec, image: np.ndarray, steps) -> np.ndarray:
    with torch.inference_mode():
        return codec._refine(image[None], QUALITY, steps)


def test_the_more_steps_the_less_distortion_and_bits(many_rates_codec, image):
    costs = [cost(many_rates_codec, image, search(many_rates_codec, image, range(steps))) for steps in (0, 3, 20)]
    assert costs[0] == pytest.approx(cost(many_rates_codec, image, plain(many_rates_codec, image)))
    assert costs[2] < costs[1] < costs[0] * 0.999


def test_any_decoder_reads_the_file(many_rates_codec, image):
    file, searched = (many_rates_codec.compress(image, quality=QUALITY, effort=effort) for effort in (0, 4))
    assert file == many_rates_codec.compress(image, quality=QUALITY)
    assert searched != file
    assert many_rates_codec.decompress(searched).shape == image.shape


def test_a_search_that_is_stopped_keeps_the_best_so_far(many_rates_codec, image):
    def stopped(error):
        yield from range(3)
        raise error

    expected = search(many_rates_codec, image, range(3))
    assert np.array_equal(search(many_rates_codec, image, stopped(KeyboardInterrupt)), expected)
    with pytest.raises(RuntimeError):
        search(many_rates_codec, image, stopped(RuntimeError))


def test_progress_is_that_of_the_effort(many_rates_codec, image):
    seen = []

    def track(steps):
        for step in steps:
            seen.append(step)
            yield step

    many_rates_codec.compress(image, quality=QUALITY, effort=2, track=track)
    assert seen == list(range(EFFORT_STEPS[2]))


@pytest.mark.parametrize("effort", [-1, 10])
def test_an_effort_out_of_range_is_refused(many_rates_codec, image, effort):
    with pytest.raises(UsageError, match="must be from 0 to 9"):
        many_rates_codec.compress(image, effort=effort)


def test_a_model_of_one_rate_has_nothing_to_search_for(tiny_codec, image):
    with pytest.raises(UsageError, match="nothing to weigh bits by"):
        tiny_codec.compress(image, effort=1)


@pytest.fixture
def transform(many_rates_codec) -> ImageTransform:
    return ImageTransform(many_rates_codec.autoencoder, tile=16)


def test_the_gradient_in_tiles_is_that_of_the_whole_image(transform, image):
    autoencoder = transform.autoencoder
    with torch.no_grad():
        vectors = np.concatenate(list(transform.analysis(image[None])), 1)
    latent = torch.tensor(vectors).permute(0, 3, 1, 2).requires_grad_()
    decoded = autoencoder.synthesis(latent)[:, :, : image.shape[0], : image.shape[1]]
    expected = (decoded - normalize(torch.from_numpy(image).permute(2, 0, 1)[None])).square().sum()
    expected.backward()
    error, gradient = transform.error_gradient(vectors, image[None], None)
    assert error == pytest.approx(float(expected.detach()), rel=1e-4)
    np.testing.assert_allclose(gradient, latent.grad.permute(0, 2, 3, 1).numpy(), rtol=1e-3, atol=1e-4)


def test_the_scale_is_the_ratio_of_squared_errors(transform):
    draws = np.random.default_rng(0)
    height, width, dim = 9, 7, transform.autoencoder.quantizer.dim
    vectors, values = (draws.normal(size=(1, height, width, dim)).astype(np.float32) for _ in range(2))
    with torch.no_grad():
        before, after = (
            transform.autoencoder.synthesis(torch.from_numpy(grid).permute(0, 3, 1, 2)) for grid in (vectors, values)
        )
    expected = float((after - before).square().sum()) / np.square(values - vectors).sum()
    assert transform.error_scale(vectors, values, None) == pytest.approx(expected, rel=1e-4)
    assert transform.error_scale(vectors, vectors, None) == 1.0
