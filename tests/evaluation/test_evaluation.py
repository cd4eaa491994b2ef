"""Figures against scikit-image, torchmetrics and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.image import StructuralSimilarityIndexMeasure

from vqvae.codec import ImageCodec
from vqvae.evaluation import ImageResult, evaluate_image, ms_ssim, psnr, ssim, summarize


@pytest.fixture
def pair(photo) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(0).integers(-20, 20, photo.shape)
    return photo, (photo + noise).clip(0, 255).astype(np.uint8)


def result(**changes) -> ImageResult:
    plain = {"name": "a", "width": 10, "height": 10, "file_bytes": 100, "payload_bytes": 80, "mse": 100.0}
    return ImageResult(**{**plain, "ssim": 0.5, "encode_s": 1.0, "decode_s": 2.0, **changes})


def test_psnr_is_that_of_scikit_image(pair):
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(*pair, data_range=255))


def test_ssim_is_that_of_scikit_image(pair):
    """They differ at the border alone, where one repeats the last pixel; a large image makes that small."""
    large = [np.tile(image, (4, 4, 1)) for image in pair]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    _, everywhere = structural_similarity(*large, channel_axis=2, full=True, **options)
    assert ssim(*large) == pytest.approx(everywhere.mean(), abs=5e-4)


def test_ssim_is_that_which_training_reports(pair):
    tensors = [torch.tensor(image).permute(2, 0, 1)[None].float() for image in pair]
    assert ssim(*pair) == pytest.approx(float(StructuralSimilarityIndexMeasure(data_range=255.0)(*tensors)))


def test_ssim_of_an_image_with_itself_is_one_and_of_a_tiny_one_unknown(photo):
    assert ssim(photo, photo) == pytest.approx(1)
    assert ssim(photo[:5], photo[:5]) is None


def test_ms_ssim_is_the_product_of_its_scales_by_wang_et_al(pair):
    a, b = (np.tile(image, (5, 4, 1)).astype(float) for image in pair)
    expected, weights = 1.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

    def blur(x):
        return gaussian_filter(x, (1.5, 1.5, 0), radius=5)

    for scale, weight in enumerate(weights):
        means, products = blur(a) * blur(b), blur(a) ** 2 + blur(b) ** 2
        structure = (2 * (blur(a * b) - means) + 58.5225) / (blur(a * a + b * b) - products + 58.5225)
        luminance = (2 * means + 6.5025) / (products + 6.5025) if scale == 4 else 1
        inside = slice(5, -5)  # where the window is within the image
        expected *= (luminance * structure)[inside, inside].mean() ** weight
        even = a.shape[0] // 2 * 2, a.shape[1] // 2 * 2
        a, b = (x[: even[0], : even[1]].reshape(even[0] // 2, 2, even[1] // 2, 2, 3).mean((1, 3)) for x in (a, b))
    assert ms_ssim(*(np.tile(image, (5, 4, 1)) for image in pair)) == pytest.approx(expected, abs=1e-5)


def test_ms_ssim_needs_176_pixels(pair):
    a, b = (np.tile(image, (5, 4, 1)) for image in pair)
    assert ms_ssim(a[:176, :176], a[:176, :176]) == pytest.approx(1)
    assert ms_ssim(a[:175], b[:175]) is None and ms_ssim(a[:, :175], b[:, :175]) is None


def test_bits_are_counted_over_all_pixels_and_the_two_psnr_are_told_apart():
    small, large = result(mse=400.0), result(width=30, file_bytes=100, payload_bytes=60, mse=100.0, ssim=1.0)
    summary = summarize([small, large])
    assert summary["images"] == 2
    assert summary["bpp"] == pytest.approx(8 * 200 / 400)
    assert summary["payload_bpp"] == pytest.approx(8 * 140 / 400)
    assert summary["psnr_mean"] == pytest.approx(10 * math.log10(255**2 / 200))  # geometric mean of 100 and 400
    assert summary["psnr_dataset"] == pytest.approx(10 * math.log10(255**2 / 175))  # mean by pixels
    assert (summary["ssim"], summary["encode_s"], summary["decode_s"]) == (0.75, 1.0, 2.0)


def test_figures_that_do_not_exist_are_none_not_infinite():
    summary = summarize([result(mse=0.0, ssim=None)])
    assert summary["psnr_mean"] is None and summary["psnr_dataset"] is None and summary["ssim"] is None


def test_an_image_is_measured_on_its_real_file(tiny_codec: ImageCodec, photo):
    measured = evaluate_image(tiny_codec, "photo", photo)
    data = tiny_codec.compress(photo)
    assert (measured.width, measured.height) == (53, 37)
    assert measured.file_bytes == len(data) and measured.payload_bytes == len(data) - 12
    assert measured.figures()["psnr"] == pytest.approx(psnr(photo, tiny_codec.decompress(data)))
    assert measured.figures()["bpp"] == pytest.approx(8 * len(data) / (53 * 37))
    assert measured.encode_s > 0 and measured.decode_s > 0
