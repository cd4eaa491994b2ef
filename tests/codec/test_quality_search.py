"""The quality that gives a file of some size, or an image of some PSNR."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from tests.conftest import smooth_pictures
from vqvae.codec import ImageCodec
from vqvae.codec.quality_search import MAX_TRIALS, search_quality
from vqvae.errors import UsageError


def excess(size_at, limit):
    """Of a size, as its logarithm; and the qualities asked for."""
    asked: list[float] = []

    def excess_at(quality: float) -> float:
        asked.append(quality)
        return math.log(size_at(quality) / limit)

    return excess_at, asked


@pytest.mark.parametrize("limit", [100.0, 101.0, 555.0, 1000.0, 1099.0])
def test_the_search_ends_close_below_the_limit_after_a_few_trials(limit):
    def size_at(quality: float) -> float:
        return 100 + 10 * quality

    excess_at, asked = excess(size_at, limit)
    quality = search_quality(excess_at, -0.003)
    assert quality is not None and size_at(quality) <= limit
    assert size_at(quality) >= limit * 0.997 or size_at(quality + 0.25) >= limit
    assert len(asked) <= 2 + MAX_TRIALS


@pytest.mark.parametrize("limit", [0.2, 0.7, 1.5])
def test_sizes_that_grow_exponentially_take_a_few_trials(limit):
    excess_at, asked = excess(lambda quality: 0.1 * math.exp(quality / 30), limit)
    assert search_quality(excess_at, -0.003) is not None
    assert len(asked) <= 5


def test_the_search_knows_what_all_and_no_qualities_reach():
    assert search_quality(lambda quality: quality - 500, 0.0) == 100.0
    assert search_quality(lambda quality: quality + 1, 0.0) is None


@pytest.mark.parametrize("limit", [100.0, 140.0, 180.0, 210.5, 255.0, 290.0, 333.0])
def test_where_sizes_fall_in_between_what_is_found_is_still_not_too_large(limit):
    def size_at(quality: float) -> int:
        return 100 + int(2 * quality + 30 * math.sin(quality))

    quality = search_quality(excess(size_at, limit)[0], -0.003)
    assert quality is not None and size_at(quality) <= limit


def psnr_at(codec: ImageCodec, image: np.ndarray, quality: float) -> float:
    decoded = codec.decompress(codec.compress(image, quality=quality))
    return peak_signal_noise_ratio(image, decoded, data_range=255)


def test_a_psnr_is_found_by_search(many_rates_codec: ImageCodec):
    image = smooth_pictures(1, 96)[0].permute(1, 2, 0).numpy()
    lowest, highest = (psnr_at(many_rates_codec, image, quality) for quality in (0.0, 100.0))
    target = (lowest + highest) / 2
    quality = many_rates_codec.quality_for_psnr(image, target)
    assert psnr_at(many_rates_codec, image, quality) >= target
    assert psnr_at(many_rates_codec, image, quality - 1) < target + 0.1
    assert many_rates_codec.quality_for_psnr(image, lowest - 1) == 0.0
    with pytest.raises(UsageError, match=r"99 dB cannot be reached: quality 100 has \d+\.\d\d dB"):
        many_rates_codec.quality_for_psnr(image, 99.0)


def test_a_model_of_one_rate_has_no_quality_to_find(tiny_codec: ImageCodec, photo):
    with pytest.raises(UsageError, match="one rate"):
        tiny_codec.quality_for_psnr(photo, 30.0)
