"""Each estimator against its formula."""

import pytest
import torch
import torch.nn.functional as F

from vqvae.quantizers import NSVQ, VQ, DiVeQ, MovingAverage, ProductVQ, ResidualVQ, RotationTrick, StraightThrough


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


def test_diveq_without_noise_passes_the_quantised_values_on():
    x, quantized = pair()
    values, loss = DiVeQ(variance=0.0)(x, quantized)
    torch.testing.assert_close(values, quantized)
    assert loss == 0


def test_directional_noise_keeps_the_length_and_turns_about_the_error():
    x, quantized = torch.zeros(50_000, 3), torch.tensor([[2.0, 0.0, 0.0]]).expand(50_000, 3)
    values = DiVeQ(variance=0.25)(x, quantized).values
    torch.testing.assert_close(lengths(values), torch.full((50_000,), 2.0))
    drawn = F.normalize(torch.tensor([2.0, 0.0, 0.0]) + 0.5 * torch.randn(50_000, 3), dim=1)
    torch.testing.assert_close((values / 2).mean(0), drawn.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close((values / 2).std(0), drawn.std(0), atol=0.01, rtol=0)


def test_a_negative_variance_is_refused():
    with pytest.raises(ValueError, match=r"variance is -0\.1"):
        DiVeQ(variance=-0.1)


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


def rotation(start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """The rotation that takes one direction to another, from the plane's own basis and the angle between them."""
    first = F.normalize(start, dim=0)
    second = F.normalize(end - (end @ first) * first, dim=0)
    cosine, sine = F.normalize(end, dim=0) @ first, F.normalize(end, dim=0) @ second
    plane = torch.stack([first, second], dim=1)
    turn = torch.stack([torch.stack([cosine, -sine]), torch.stack([sine, cosine])])
    return torch.eye(len(start)) + plane @ (turn - torch.eye(2)) @ plane.T


def test_the_rotation_trick_passes_values_on_and_turns_and_scales_gradients():
    x, quantized = pair()
    values, _ = RotationTrick()(x, quantized)
    assert torch.equal(values, quantized)
    gradient = torch.randn_like(values)
    values.backward(gradient)
    for i in range(20):
        scale = lengths(quantized)[i] / lengths(x)[i]
        expected = scale * rotation(x[i].detach(), quantized[i].detach()).T @ gradient[i]
        torch.testing.assert_close(x.grad[i], expected, atol=1e-4, rtol=1e-4)
    assert quantized.grad is None


def test_the_rotation_trick_survives_opposite_and_vanishing_vectors():
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    quantized = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    values, loss = RotationTrick()(x, quantized)
    assert torch.equal(values, quantized)
    (values.sum() + loss).backward()
    assert torch.isfinite(x.grad).all()


def test_moving_averages_are_the_ratio_of_averaged_sums_and_counts():
    """Textbook EMA: N ← γN + (1 − γ)n and m ← γm + (1 − γ)Σx, the codeword being m / N."""
    quantizer = VQ(4, codebook_bits=3)
    quantizer.set_estimator(MovingAverage(decay=0.9))
    counts, codebook = torch.ones(8), quantizer.codebooks[0].clone()
    sums = codebook.clone()
    for _ in range(20):
        x = torch.randn(50, 4)
        nearest = torch.cdist(x, codebook).argmin(1)
        chosen = F.one_hot(nearest, 8).float()
        counts = 0.9 * counts + 0.1 * chosen.sum(0)
        sums = 0.9 * sums + 0.1 * chosen.T @ x
        codebook = sums / counts.unsqueeze(1)
        quantizer.train()(x)
    torch.testing.assert_close(quantizer.codebooks[0], codebook, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("quantizer", [ProductVQ(8, 2, 3), ResidualVQ(8, 2, 3)], ids=["product", "residual"])
def test_moving_averages_go_most_of_the_way_to_what_k_means_finds(quantizer):
    vectors = torch.randn(2000, 8) @ torch.randn(8, 8)

    def error() -> float:
        return float((vectors - quantizer.decode(quantizer.encode(vectors))).square().sum(1).mean())

    quantizer.fit(vectors)
    reached = error()
    quantizer.fit(vectors, iterations=0)
    start = error()
    assert start > 1.1 * reached
    quantizer.set_estimator(MovingAverage(decay=0.9))
    for _ in range(100):
        quantizer.train()(vectors)
    assert start - error() > 0.6 * (start - reached)


def test_moving_averages_leave_no_gradient_to_the_codebooks_and_another_estimator_brings_it_back():
    quantizer = VQ(4, codebook_bits=3)
    for estimator, expected in ((MovingAverage(), False), (StraightThrough(), True)):
        quantizer.set_estimator(estimator)
        quantized = quantizer.train()(torch.randn(20, 4, requires_grad=True))
        (quantized.values.sum() + quantized.loss).backward()
        assert (quantizer.codebooks.grad is not None) == expected


def test_an_impossible_decay_is_refused():
    with pytest.raises(ValueError, match=r"decay is 1\.0"):
        MovingAverage(decay=1.0)
