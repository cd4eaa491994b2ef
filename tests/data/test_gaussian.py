"""Toy data, and the bound that it is measured against."""

import math

import pytest
import torch

from vqvae.data.gaussian import Autoregressive, LowRank
from vqvae.errors import DataError


def make(correlation: float, dim: int = 16) -> Autoregressive:
    return Autoregressive(dim, correlation, train=40_000, test=10, batch_size=100)


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.5])
def test_the_vectors_have_the_covariance_of_the_process(correlation):
    data = make(correlation)
    data.setup()
    expected = torch.tensor([[correlation ** abs(i - j) for j in range(16)] for i in range(16)])
    assert torch.allclose(data.train_set.vectors.T.cov(), expected, atol=0.05)


def test_the_vectors_are_the_same_each_time_and_no_set_is_part_of_another():
    one, other = make(0.9), make(0.9)
    one.setup()
    other.setup()
    assert torch.equal(one.test_set.vectors, other.test_set.vectors)
    sets = [data.vectors[:10] for data in (one.train_set, one.val_set, one.test_set)]
    assert all(torch.cdist(a, b).min() > 0 for a in sets for b in sets if a is not b)


def test_without_correlation_the_bound_is_that_of_independent_gaussians():
    for bits in (0, 12, 40):
        assert make(0.0).bound(bits) == pytest.approx(16 * 2 ** (-2 * bits / 16))


@pytest.mark.parametrize("bits", [1, 3, 20, 64])
def test_the_bound_solves_the_equations_of_reverse_water_filling(bits):
    data = make(0.9)
    variances = torch.linalg.eigvalsh(data.covariance()).tolist()
    low, high = 1e-9, max(variances)
    for _ in range(100):  # bisection for the level at which the rate is that of these bits
        level = math.sqrt(low * high)
        rate = sum(max(0.0, 0.5 * math.log2(variance / level)) for variance in variances)
        low, high = (level, high) if rate > bits else (low, level)
    assert data.bound(bits) == pytest.approx(sum(min(level, variance) for variance in variances))


@pytest.mark.parametrize("correlation", [1.0, -1.0, 3.0])
def test_a_correlation_that_no_process_has_is_refused(correlation):
    with pytest.raises(DataError, match="must be above -1 and below 1"):
        make(correlation)


def test_vectors_of_a_subspace_are_bounded_as_if_it_were_all_there_is():
    data = LowRank(16, rank=4, train=20_000, test=10, batch_size=100)
    data.setup()
    vectors = data.train_set.vectors
    assert torch.linalg.matrix_rank(vectors, rtol=1e-4) == 4
    assert vectors.square().sum(1).mean() == pytest.approx(16, rel=0.02)
    for bits in (0, 12, 40):
        assert data.bound(bits) == pytest.approx(16 * 2 ** (-2 * bits / 4))


@pytest.mark.parametrize("rank", [0, 17])
def test_a_rank_that_no_subspace_has_is_refused(rank):
    with pytest.raises(DataError, match="must be from 1 to 16"):
        LowRank(16, rank, train=10, test=10, batch_size=10)
