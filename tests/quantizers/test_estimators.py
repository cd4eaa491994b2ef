"""Each estimator against its formula."""

import torch
import torch.nn.functional as F

from vqvae.quantizers import NSVQ, DiVeQ, StraightThrough


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(200, 16, requires_grad=True), torch.randn(200, 16, requires_grad=True)


def lengths(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.detach().square().sum(1).sqrt()


def test_nsvq_puts_noise_of_the_errors_own_length_in_its_place():
    x, quantized = pair()
    values, loss = NSVQ()(x, quantized)
    torch.testing.assert_close(lengths(values - x), lengths(x - quantized))
    assert loss == 0


def test_nsvq_noise_points_everywhere_alike():
    x, quantized = torch.zeros(20_000, 4), torch.ones(20_000, 4)
    directions = NSVQ()(x, quantized).values / 2
    torch.testing.assert_close(directions.mean(0), torch.zeros(4), atol=0.02, rtol=0)
    torch.testing.assert_close(directions.T @ directions / 20_000, torch.eye(4) / 4, atol=0.02, rtol=0)


def test_nsvq_gradient_of_the_codewords_is_that_of_the_error_length():
    """d(x + ‖x − q‖ n)/dq · g = −(g·n) (x − q)/‖x − q‖."""
    x, quantized = pair()
    values, _ = NSVQ()(x, quantized)
    gradient = torch.randn_like(values)
    values.backward(gradient)
    error = (x - quantized).detach()
    noise = F.normalize((values - x).detach(), dim=1)
    torch.testing.assert_close(quantized.grad, -(gradient * noise).sum(1, keepdim=True) * F.normalize(error, dim=1))
    torch.testing.assert_close(x.grad, gradient - quantized.grad)


def test_nsvq_survives_a_noise_vector_of_zeros(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x, quantized = pair()
    values, _ = NSVQ()(x, quantized)
    assert torch.equal(values, x)


def test_diveq_passes_the_quantised_values_on():
    x, quantized = pair()
    values, loss = DiVeQ()(x, quantized)
    torch.testing.assert_close(values, quantized)
    assert loss == 0


def test_straight_through_passes_values_on_and_gradients_around():
    x, quantized = pair()
    values, _ = StraightThrough()(x, quantized)
    torch.testing.assert_close(values, quantized)
    values.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x)) and quantized.grad is None


def test_straight_through_losses_pull_codewords_and_vectors_with_their_own_weights():
    x, quantized = pair()
    StraightThrough(commitment=0.5)(x, quantized).loss.backward()
    pull = 2 * (quantized - x).detach() / x.numel()
    torch.testing.assert_close(quantized.grad, pull)
    torch.testing.assert_close(x.grad, -0.5 * pull)
