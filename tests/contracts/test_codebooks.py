"""What holds for every quantiser of conf/quantizer that has codebooks, with every estimator of conf/estimator."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from tests.contracts.configs import load, names
from tests.contracts.test_quantizers import error
from vqvae.models.registry import build, component
from vqvae.quantizers import CodebookQuantizer, Quantizer, count_usage, dispatch, replace_unused, workspace

WITH_CODEBOOKS = [
    name for name in names("quantizer") if issubclass(component(load("quantizer", name)["_target_"]), CodebookQuantizer)
]


@pytest.fixture(params=WITH_CODEBOOKS)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**load("quantizer", request.param), "dim": 16, "codebook_bits": 4}


@pytest.fixture
def quantizer(config: dict[str, Any]) -> CodebookQuantizer:
    return build(config, CodebookQuantizer)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(400, 16) @ torch.randn(16, 16)


def test_tables_add_up_to_the_squared_distances_from_decoded_vectors(quantizer, vectors):
    indices = quantizer.encode(vectors)
    values, tables = quantizer.decode(indices).detach(), quantizer.distance_tables(vectors[:9])
    sums = torch.stack([table[index] for table, index in zip(tables, indices.T, strict=True)]).sum(0)
    norms = quantizer.norms(indices)
    if norms is not None:
        sums = sums + norms.unsqueeze(1)
    torch.testing.assert_close(sums.T, torch.cdist(vectors[:9], values).square(), rtol=1e-3, atol=1e-3)


def test_choosing_by_costs_lowers_distance_plus_costs(quantizer, vectors):
    costs = 30 * torch.rand(quantizer.num_indices, 16)

    def total(indices: torch.Tensor) -> torch.Tensor:
        distances = (vectors - quantizer.decode(indices)).square().sum(1)
        return distances + costs.gather(1, indices.T).sum(0)

    chosen, nearest = quantizer.encode(vectors, costs), quantizer.encode(vectors)
    assert total(chosen).mean() < total(nearest).mean()
    assert error(quantizer, vectors) < (vectors - quantizer.decode(chosen)).square().sum(1).mean()
    assert torch.equal(quantizer.eval()(vectors, costs).indices, chosen)


def test_equal_costs_change_no_index(quantizer, vectors):
    costs = torch.ones(quantizer.num_indices, 16)
    assert (quantizer.encode(vectors, costs) == quantizer.encode(vectors)).float().mean() > 0.999  # but for rounding


def test_costs_of_another_shape_are_refused(quantizer, vectors):
    with pytest.raises(ValueError, match=rf"costs are 17×16, but must be {quantizer.num_indices}×16"):
        quantizer.search_with_costs(vectors, torch.zeros(17, 16))


def test_candidate_distances_are_those_of_decoded_vectors(quantizer, vectors):
    """The distance chosen last in each piece adds up to that of the decoded vector."""
    indices = quantizer.encode(vectors)
    last = []
    for place in range(quantizer.num_indices):
        distances = quantizer.candidate_distances(vectors.numpy(), indices[:, :place].numpy())
        assert distances.dtype == np.float32
        last.append(np.take_along_axis(distances, indices[:, place, None].numpy(), 1)[:, 0])
    expected = (vectors - quantizer.decode(indices)).square().sum(1).detach().numpy()
    np.testing.assert_allclose(sum(last[-quantizer.pieces :]), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("estimator", names("estimator"))
def test_every_estimator_sends_gradients_to_the_encoder_and_moves_the_codewords_in_use(quantizer, vectors, estimator):
    quantizer.fit(vectors)
    quantizer.set_estimator(instantiate(load("estimator", estimator)))
    before = quantizer.codebooks.detach().clone()
    x = (vectors + torch.randn(400, 16)).requires_grad_()
    quantized = quantizer.train()(x)
    (quantized.values.square().mean() + quantized.loss).backward()
    assert torch.isfinite(quantized.values).all()
    assert (x.grad != 0).any(dim=1).float().mean() > 0.9
    optimizer = torch.optim.SGD([quantizer.codebooks], lr=1.0)
    optimizer.step()
    used = count_usage(quantized.indices, quantizer.codebook_size) > 0
    moved = (quantizer.codebooks != before).any(dim=2)
    assert torch.equal(moved, used)


@pytest.mark.parametrize("estimator", names("estimator"))
def test_a_vector_equal_to_its_codeword_gets_finite_gradients(quantizer, estimator):
    quantizer.set_estimator(instantiate(load("estimator", estimator)))
    x = quantizer.decode(quantizer.encode(torch.randn(5, 16))).detach().requires_grad_()
    quantized = quantizer.train()(x)
    (quantized.values.square().mean() + quantized.loss).backward()
    assert torch.isfinite(x.grad).all()
    assert quantizer.codebooks.grad is None or torch.isfinite(quantizer.codebooks.grad).all()


def test_fitting_leaves_less_error_than_random_vectors_as_codewords(quantizer, vectors):
    quantizer.fit(vectors, iterations=0)
    before = error(quantizer, vectors)
    quantizer.fit(vectors, iterations=20)
    assert error(quantizer, vectors) < 0.95 * before


def test_fitting_to_fewer_vectors_than_codewords_reproduces_them_nearly(quantizer, vectors):
    few = vectors[:5]
    quantizer.fit(few)
    assert error(quantizer, few) < 0.01 * few.square().sum(1).mean()


@pytest.mark.parametrize("search", ["compiled", "plain"])
def test_a_search_in_chunks_finds_the_same_indices(quantizer, vectors, search, monkeypatch):
    if search == "plain":
        monkeypatch.setattr(dispatch, "_load", lambda: None)
    whole = quantizer.encode(vectors)
    monkeypatch.setitem(workspace.WORKSPACE_FLOATS, "cpu", 2000)
    assert torch.equal(quantizer.encode(vectors), whole)


def test_unused_codewords_are_replaced_and_then_used(quantizer, vectors):
    quantizer.fit(vectors)
    with torch.no_grad():
        quantizer.codebooks[:, 3:9] += 1e3
    before = count_usage(quantizer.encode(vectors), quantizer.codebook_size)
    assert (before[:, 3:9] == 0).all()
    replaced = replace_unused(quantizer.codebooks, before, threshold=0.01)
    assert replaced[:, 3:9].all()
    after = count_usage(quantizer.encode(vectors), quantizer.codebook_size)
    assert (after[:, 3:9] > 0).float().mean() > 0.7


@pytest.mark.parametrize("bits", [0, 17])
def test_impossible_codebook_sizes_are_refused(config, bits):
    with pytest.raises(ValueError, match=f"codebook_bits is {bits}"):
        build({**config, "codebook_bits": bits}, Quantizer)
    size = 2**bits
    with pytest.raises(ValueError, match=f"codebook_size is {size}"):
        build({**config, "codebook_bits": None, "codebook_size": size}, Quantizer)


def test_bits_and_size_of_codebooks_are_not_given_together(config):
    for size, bits in ((16, 4), (None, None)):
        with pytest.raises(ValueError, match="give one of the two"):
            build({**config, "codebook_bits": bits, "codebook_size": size}, Quantizer)


@pytest.mark.parametrize("size", [2, 3, 200])
def test_codebooks_may_have_any_size(config, vectors, size, monkeypatch):
    few, quantizer = vectors[:100], build({**config, "codebook_bits": None, "codebook_size": size}, Quantizer)
    indices = quantizer.encode(few)
    assert quantizer.index_sizes == (size,) * quantizer.num_indices
    assert quantizer.bits_per_vector == quantizer.num_indices * math.ceil(math.log2(size))
    assert indices.max() < size
    assert error(quantizer, few) < few.square().sum(1).mean()
    monkeypatch.setattr(dispatch, "_load", lambda: None)
    assert (indices == quantizer.encode(few)).all(1).float().mean() > 0.98  # but for rounding
