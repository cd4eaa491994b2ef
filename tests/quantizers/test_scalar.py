"""FSQ, LFQ and SimVQ: what their papers say, computed in another way."""

import itertools

import pytest
import torch

from vqvae.errors import UsageError
from vqvae.quantizers import FSQ, LFQ, MovingAverage, SimVQ, StraightThrough
from vqvae.quantizers.lfq import entropy_penalty


def identity(quantizer):
    """The quantiser without its projections, so that vectors are latent numbers."""
    with torch.no_grad():
        for projection in (quantizer.project_in, quantizer.project_out):
            projection.weight.copy_(torch.eye(*projection.weight.shape))
            projection.bias.zero_()
    return quantizer


def test_fsq_has_all_its_levels_and_no_others():
    quantizer = identity(FSQ(3, (2, 5, 8)))
    x = torch.linspace(-6, 6, 2001).unsqueeze(1).repeat(1, 3)
    found = [column.unique().tolist() for column in quantizer.decode(quantizer.encode(x)).T]
    assert found == [[-1, 0], [-1, -0.5, 0, 0.5, 1], [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75]]


def test_fsq_puts_zero_on_a_level_and_is_odd_where_levels_are():
    quantizer = identity(FSQ(2, (7, 8)))
    assert quantizer.decode(quantizer.encode(torch.zeros(1, 2))).tolist() == [[0, 0]]
    x = torch.randn(500, 2)
    there, back = (quantizer.decode(quantizer.encode(sign * x))[:, 0] for sign in (1, -1))
    assert torch.equal(there, -back)


def test_fsq_passes_the_gradient_of_its_bound_straight_through():
    quantizer = identity(FSQ(2, (5, 5))).train()
    quantizer.set_estimator(StraightThrough(commitment=0.0))
    x = torch.randn(50, 2, requires_grad=True)
    quantizer(x).values.sum().backward()
    slope = (2 + 1e-3) / 2 * (1 - x.detach().tanh().square())  # of tanh, stretched over five levels
    torch.testing.assert_close(x.grad, slope)


def test_lfq_keeps_the_signs():
    quantizer = identity(LFQ(6, stages=2, codebook_bits=3))
    x = torch.randn(100, 6)
    assert torch.equal(quantizer.decode(quantizer.encode(x)), x.sign())
    assert quantizer.encode(torch.tensor([[-1.0, -1, 1, 1, -1, 1]])).tolist() == [[4, 5]]


def test_the_entropy_penalty_is_that_of_distributions_over_all_codewords():
    latent, temperature = torch.randn(20, 2, 3), 0.7
    codes = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)))
    shares = (-(latent.unsqueeze(2) - codes).square().sum(-1) / temperature).softmax(-1)  # n M K
    entropy = lambda shares: torch.special.entr(shares).sum(-1).mean()  # noqa: E731
    torch.testing.assert_close(entropy_penalty(latent, temperature), entropy(shares) - entropy(shares.mean(0)))


def test_the_entropy_penalty_prefers_even_use_of_sure_bits():
    sure = 9 * torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3))).unsqueeze(1)
    even = entropy_penalty(sure, 1.0)
    assert even < entropy_penalty(0.1 * sure, 1.0) and even < entropy_penalty(sure.abs(), 1.0)
    torch.testing.assert_close(even, -torch.tensor(8.0).log(), rtol=1e-4, atol=1e-4)


def test_the_entropy_penalty_has_finite_gradients_for_any_latent_numbers():
    latent = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4]).view(-1, 1, 1).repeat(1, 1, 3).requires_grad_()
    entropy_penalty(latent, 1.0).backward()
    assert torch.isfinite(latent.grad).all()


def test_lfq_adds_the_penalty_in_training_only():
    x, estimator = torch.randn(100, 8), StraightThrough()
    with_penalty, without = (LFQ(8, 2, 4, entropy_weight=weight) for weight in (0.3, 0.0))
    without.load_state_dict(with_penalty.state_dict())
    for quantizer in (with_penalty, without):
        quantizer.set_estimator(estimator)
    latent = with_penalty.project_in(x).unflatten(1, (2, 4))
    difference = with_penalty.train()(x).loss - without.train()(x).loss
    torch.testing.assert_close(difference, 0.3 * entropy_penalty(latent, 1.0))
    assert with_penalty.eval()(x).loss == 0


def test_simvq_finds_the_nearest_of_its_transformed_codewords():
    quantizer, x = SimVQ(6, codebook_bits=5), torch.randn(200, 6)
    quantizer.matrix.data += torch.randn(6, 6)
    distances = (x.unsqueeze(1) - quantizer.codewords).square().sum(2)
    assert torch.equal(quantizer.encode(x)[:, 0], distances.argmin(1))
    assert torch.equal(quantizer.decode(quantizer.encode(x)), quantizer.codewords[distances.argmin(1)])


def test_one_step_of_simvq_moves_codewords_that_were_not_chosen_and_leaves_the_fixed_ones():
    quantizer = SimVQ(4, codebook_bits=6).train()
    quantizer.set_estimator(StraightThrough())
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=1.0)
    before, fixed = quantizer.codewords.detach(), quantizer.fixed.clone()
    quantizer(torch.randn(3, 4)).loss.backward()
    optimizer.step()
    assert (quantizer.codewords != before).any(1).all() and torch.equal(quantizer.fixed, fixed)
    with pytest.raises(UsageError, match="MovingAverage moves single codewords"):
        quantizer.set_estimator(MovingAverage())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FSQ(4, (8, 1)), r"levels are \[8, 1\], but each must be from 2"),
        (lambda: FSQ(2, (8, 8, 8)), "FSQ has 3 latent numbers, but dim=2 allows 1 to 2"),
        (lambda: FSQ(2, ()), "FSQ has 0 latent numbers"),
        (lambda: LFQ(64, 1, 17), "codebook_bits is 17"),
        (lambda: LFQ(8, 2, 4, temperature=0.0), "temperature is 0.0"),
        (lambda: SimVQ(8, 0), "codebook_bits is 0"),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
