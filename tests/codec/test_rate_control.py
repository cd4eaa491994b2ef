"""Qualities, and the search for the one that gives a size."""

import math

import pytest

from vqvae.codec.rate_control import LambdaRange, search_quality
from vqvae.errors import UsageError


def test_the_logarithm_of_lambda_is_linear_in_the_quality():
    qualities = LambdaRange(finest=0.01, coarsest=100.0)
    lambdas = [qualities.lmbda(quality) for quality in (0.0, 25.0, 50.0, 100.0)]
    assert [math.log10(lmbda) for lmbda in lambdas] == pytest.approx([2, 1, 0, -2])


@pytest.mark.parametrize("quality", [-1.0, 100.1, float("nan")])
def test_a_quality_out_of_range_is_wrong_usage(quality):
    with pytest.raises(UsageError, match="but must be from 0 to 100"):
        LambdaRange(0.01, 1.0).lmbda(quality)


@pytest.mark.parametrize("limit", [100.0, 101.0, 555.0, 1000.0, 1099.0])
def test_the_search_ends_close_below_the_limit(limit):
    quality = search_quality(lambda quality: 100 + int(10 * quality), limit)
    assert quality is not None and 100 + int(10 * quality) <= limit
    assert 100 + int(10 * (quality + 100 / 2**8)) >= limit


def test_the_search_knows_what_all_and_no_qualities_reach():
    assert search_quality(lambda quality: 100 + int(quality), 500.0) == 100.0
    assert search_quality(lambda quality: 100 + int(quality), 99.0) is None


@pytest.mark.parametrize("limit", [100.0, 140.0, 180.0, 210.5, 255.0, 290.0, 333.0])
def test_where_sizes_fall_in_between_what_is_found_is_still_not_too_large(limit):
    def size_at(quality: float) -> int:
        return 100 + int(2 * quality + 30 * math.sin(quality))

    quality = search_quality(size_at, limit)
    assert quality is not None and size_at(quality) <= limit
