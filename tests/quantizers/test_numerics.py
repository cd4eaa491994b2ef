"""Dtypes, vectors far from zero, NaN and infinity, and other ways to run a quantiser."""

import subprocess
import sys

import pytest
import torch

from vqvae.errors import NotFiniteError, UsageError
from vqvae.quantizers import (
    MovingAverage,
    ProductVQ,
    Quantizer,
    StraightThrough,
)
from vqvae.search import Index


def error(quantizer: Quantizer, x: torch.Tensor) -> float:
    return float((x.double() - quantizer.decode(quantizer.encode(x)).double()).square().sum(1).mean().detach())


def test_far_from_zero_the_error_is_as_low_as_near_it(quantizer, path):
    x = torch.randn(500, 8)
    torch.manual_seed(0)
    quantizer.fit(x)
    expected = error(quantizer, x)
    for offset in (1000, -10000):
        torch.manual_seed(0)
        quantizer.fit(x + offset)
        assert error(quantizer, x + offset) < 1.05 * expected


def test_far_from_zero_the_nearest_codeword_is_found(quantizer):
    x = torch.randn(500, 8) + 3000
    quantizer.fit(x)
    if isinstance(quantizer, ProductVQ):
        codebooks = quantizer.codebooks.double()
        pieces = x.double().unflatten(1, (len(codebooks), -1)).transpose(0, 1)
        assert torch.equal(quantizer.encode(x), torch.cdist(pieces, codebooks).argmin(2).T)
    last = quantizer.candidate_distances(x.numpy(), quantizer.encode(x)[:, :-1].numpy())
    assert (last >= 0).all() and last.min(1).mean() < x.var(0).sum()


def test_far_from_zero_an_index_returns_true_distances(quantizer):
    x = torch.randn(300, 8) + 1000
    quantizer.fit(x)
    index = Index(quantizer)
    index.add(x)
    distances, ids = index.search(x[:20], 1)
    values = quantizer.decode(quantizer.encode(x)).detach().double()
    exact = (x[:20].double() - values[ids[:, 0]]).square().sum(1)
    torch.testing.assert_close(distances[:, 0].double(), exact, rtol=0.02, atol=0.02)
    assert (exact <= 1.02 * torch.cdist(x[:20].double(), values).square().min(1).values + 0.02).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64], ids=str)
def test_vectors_of_any_dtype_are_searched_and_fitted_in_float32(quantizer, dtype):
    x = (20 * torch.rand(200, 8)).to(dtype)
    torch.manual_seed(0)
    quantizer.fit(x)
    codebooks = quantizer.codebooks.detach().clone()
    torch.manual_seed(0)
    quantizer.fit(x.float())
    assert torch.equal(quantizer.codebooks, codebooks)
    assert torch.equal(quantizer.encode(x), quantizer.encode(x.float()))
    assert quantizer.eval()(x).values.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("estimator", [StraightThrough, MovingAverage])
def test_values_of_a_converted_module_have_its_dtype(quantizer, dtype, estimator):
    x = torch.randn(100, 8)
    quantizer.fit(x)
    expected = quantizer.encode(x)
    quantizer.set_estimator(estimator())
    quantizer.to(dtype)
    if dtype == torch.float64:
        assert torch.equal(quantizer.encode(x), expected)
    if estimator is MovingAverage and dtype != torch.float64:
        with pytest.raises(UsageError, match="keep the quantiser in float32"):
            quantizer.train()(x.to(dtype))
    else:
        quantized = quantizer.train()(x.to(dtype))
        assert quantized.values.dtype == quantized.loss.dtype == dtype
        assert quantized.values.isfinite().all()
    quantizer.fit(x.to(dtype), iterations=2)
    assert quantizer.codebooks.dtype == dtype
    assert error(quantizer, x) < x.square().sum(1).mean()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf], ids=str)
def test_the_first_vector_that_is_not_finite_is_named(quantizer, bad):
    x = torch.randn(50, 8)
    x[7, 3] = x[9, 0] = bad
    for call in (quantizer.fit, quantizer.encode, quantizer.eval(), quantizer.train()):
        with pytest.raises(NotFiniteError, match=r"vector 7 \(of 50, 2 like it\) holds NaN or infinity"):
            call(x)


def test_moving_averages_refuse_what_is_not_finite_before_they_change(quantizer):
    x = torch.randn(50, 8)
    quantizer.set_estimator(MovingAverage())
    before = quantizer.codebooks.detach().clone()
    values = quantizer.decode(quantizer.encode(x))
    with pytest.raises(NotFiniteError, match="vector 0"):
        quantizer.estimator.update(quantizer.codebooks, quantizer.encode(x), x * torch.nan, values)
    assert torch.equal(quantizer.codebooks, before)


def test_large_finite_vectors_are_not_refused(quantizer):
    assert quantizer.encode(torch.full((9, 8), 3e38)).max() < quantizer.codebook_size


def test_fitting_to_no_vectors_is_refused(quantizer):
    with pytest.raises(ValueError, match="there are no vectors to fit to"):
        quantizer.fit(torch.empty(0, 8))


def test_another_default_dtype_changes_nothing(quantizer, path):
    x = torch.randn(60, 8)
    expected = quantizer.encode(x)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(quantizer.encode(x), expected)
        assert quantizer.fit(x, iterations=2) is None
        assert quantizer.eval()(x).values.dtype == torch.float32
        index = Index(quantizer)
        index.add(x)
        assert index.search(x[:3], 2).distances.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


COMPILED = """
import torch
from vqvae.quantizers import VQ, AdditiveVQ, ProductResidualVQ, ProductVQ, ResidualVQ

quantizers = [
    VQ(8, 4), ProductVQ(8, 2, 4), ResidualVQ(8, 3, 3), ResidualVQ(8, 3, 3, beam=4),
    AdditiveVQ(8, 2, 3, beam=2, refinements=1), ProductResidualVQ(8, 2, 2, 3), VQ(8, 4, channel_dim=1),
]
for quantizer in quantizers:
    compiled = torch.compile(quantizer.eval(), backend="eager", fullgraph=True)
    rows = {"x": {0: torch.export.Dim("n", min=2)}}
    exported = torch.export.export(quantizer, (torch.randn(60, 8),), dynamic_shapes=rows).module()
    for function, numbers in ((compiled, [60]), (exported, [2, 60, 500])):
        for number in numbers:
            x = torch.randn(number, 8)
            found, expected = function(x), quantizer(x)
            assert torch.equal(found.indices, expected.indices) and torch.equal(found.values, expected.values)
print("equal")
"""


@pytest.mark.slow
def test_compiled_and_exported_quantizers_find_the_same_for_any_number_of_vectors():
    """In a process of its own: the checks of shapes that tests add to annotations cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True)
    assert done.stdout == "equal\n", done.stderr


def test_tracing_is_refused_as_it_would_record_the_indices(quantizer):
    with pytest.raises(UsageError, match=r"use torch\.export"):
        torch.jit.trace(quantizer.eval(), torch.randn(5, 8))
