"""Qualities and their λ."""

import math

import pytest

from vqvae.codec.rate_control import LambdaRange
from vqvae.errors import UsageError


def test_the_logarithm_of_lambda_is_linear_in_the_quality():
    qualities = LambdaRange(finest=0.01, coarsest=100.0)
    lambdas = [qualities.lmbda(quality) for quality in (0.0, 25.0, 50.0, 100.0)]
    assert [math.log10(lmbda) for lmbda in lambdas] == pytest.approx([2, 1, 0, -2])


@pytest.mark.parametrize("quality", [-1.0, 100.1, float("nan")])
def test_a_quality_out_of_range_is_wrong_usage(quality):
    with pytest.raises(UsageError, match="but must be from 0 to 100"):
        LambdaRange(0.01, 1.0).lmbda(quality)
