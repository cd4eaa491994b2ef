"""What indices cost in training."""

import pytest
import torch

from vqvae.quantizers import ProductVQ
from vqvae.training.rate_model import Rates


@pytest.fixture
def quantizer() -> ProductVQ:
    return ProductVQ(dim=4, stages=2, codebook_bits=3)


@pytest.fixture
def rates(quantizer) -> Rates:
    return Rates(quantizer, finest=10.0, coarsest=1000.0, levels=3, memory=0.5)


def test_weights_are_spaced_evenly_in_their_logarithm_and_told_in_squared_errors_of_8_bit_pixels(rates):
    torch.testing.assert_close(rates.weights * 127.5**2, torch.tensor([10.0, 100.0, 1000.0]))
    with pytest.raises(ValueError, match="0 < finest < coarsest"):
        Rates(ProductVQ(4, 2, 3), finest=10.0, coarsest=10.0, levels=3, memory=0.5)


def test_bits_are_the_logarithms_of_how_often_an_index_was_counted(rates):
    indices = torch.tensor([[0, 1], [0, 1], [0, 1], [3, 1]])
    for _ in range(30):
        rates.count(1, indices)
    bits = rates.bits(1)
    torch.testing.assert_close(bits[0, [0, 3]], torch.tensor([4 / 3, 4.0]).log2(), rtol=1e-3, atol=1e-3)
    assert bits[1, 1] < 0.01 and bits[0, 1] > 10
    torch.testing.assert_close(rates.bits(0), torch.full((2, 8), 3.0))  # nothing was counted there
    torch.testing.assert_close(rates.costs(1), rates.weight(1) * bits)


def test_the_scale_is_how_much_larger_errors_are_behind_the_decoder(rates):
    vectors, quantized = torch.zeros(9, 4), torch.randn(9, 4)
    for _ in range(30):
        rates.measure(vectors, quantized, 3 * quantized.view(1, 3, 3, 4))
    torch.testing.assert_close(rates.scale, torch.tensor(9.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(rates.weight(0), rates.weights[0] / 9, rtol=1e-3, atol=0)


def test_fitting_lowers_distortion_and_bits_together(quantizer, rates):
    """Entropy-constrained Lloyd: the sum over all levels falls with each iteration."""
    vectors = torch.randn(3000, 4) * torch.tensor([3.0, 1.0, 1.0, 0.3])
    rates.weights *= 127.5**2 / 300
    quantizer.fit(vectors, 5)

    def cost() -> float:
        total = 0.0
        for level in range(3):
            indices = quantizer.encode(vectors, rates.costs(level))
            bits = sum(rates.bits(level)[stage][index].sum() for stage, index in enumerate(indices.T))
            total += float((quantizer.decode(indices) - vectors).square().sum() + rates.weight(level) * bits)
        return total

    costs = [cost()]
    for _ in range(4):
        rates.fit(quantizer, vectors, 1)
        costs.append(cost())
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.9 * costs[0]
