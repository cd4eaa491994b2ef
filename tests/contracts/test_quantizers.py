"""What holds for every quantiser of conf/quantizer, with every estimator of conf/estimator."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from tests.contracts.configs import load, names
from vqvae.models.registry import build
from vqvae.quantizers import PrefixDecodable, Quantizer, count_usage, dispatch, replace_unused, workspace


@pytest.fixture(params=names("quantizer"))
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**load("quantizer", request.param), "dim": 16, "codebook_bits": 4}


@pytest.fixture
def quantizer(config: dict[str, Any]) -> Quantizer:
    return build(config, Quantizer)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(400, 16) @ torch.randn(16, 16)


def error(quantizer: Quantizer, vectors: torch.Tensor) -> float:
    return (vectors - quantizer.decode(quantizer.encode(vectors))).square().sum(1).mean().item()


def test_indices_are_one_int64_per_stage_below_the_codebook_size(quantizer, vectors):
    indices = quantizer.encode(vectors)
    assert indices.shape == (400, quantizer.num_indices)
    assert indices.dtype == torch.int64
    assert indices.min() >= 0 and indices.max() < quantizer.codebook_size


def test_bits_per_vector_are_the_logarithms_of_the_codebook_sizes(quantizer):
    assert quantizer.bits_per_vector == 4 * quantizer.num_indices
    assert quantizer.index_bits == 4


def test_values_of_all_indices_are_distinct_so_that_no_bit_is_wasted(quantizer):
    indices = torch.randint(16, (50, quantizer.num_indices)).unique(dim=0)
    assert len(quantizer.decode(indices).unique(dim=0)) == len(indices)


def test_tables_add_up_to_the_squared_distances_from_decoded_vectors(quantizer, vectors):
    indices = quantizer.encode(vectors)
    values, tables = quantizer.decode(indices).detach(), quantizer.distance_tables(vectors[:9])
    sums = torch.stack([table[index] for table, index in zip(tables, indices.T, strict=True)]).sum(0)
    norms = quantizer.norms(indices)
    if norms is not None:
        sums = sums + norms.unsqueeze(1)
    torch.testing.assert_close(sums.T, torch.cdist(vectors[:9], values).square(), rtol=1e-3, atol=1e-3)


def test_evaluation_returns_exactly_the_decoded_indices_and_no_loss(quantizer, vectors):
    quantized = quantizer.eval()(vectors)
    assert torch.equal(quantized.values, quantizer.decode(quantized.indices))
    assert torch.equal(quantized.indices, quantizer.encode(vectors))
    assert quantized.loss == 0


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


def test_prefixes_are_encoded_and_decoded_by_stages(quantizer, vectors):
    if not isinstance(quantizer, PrefixDecodable):
        with pytest.raises(ValueError, match="cannot be decoded from its first stages"):
            quantizer.encode(vectors, stages=1)
        return
    assert quantizer.prefixes[-1] == quantizer.num_indices
    quantizer.fit(vectors)
    indices = quantizer.encode(vectors)
    errors = []
    for stage, number in enumerate(quantizer.prefixes, start=1):
        alone = quantizer.encode(vectors, stages=stage)
        assert alone.shape == (400, number)
        errors.append((vectors - quantizer.decode(alone)).square().sum(1).mean())
        assert errors[-1] <= 1.0001 * (vectors - quantizer.decode(indices[:, :number])).square().sum(1).mean()
    assert errors == sorted(errors, reverse=True)
    with pytest.raises(ValueError, match="stages is 0"):
        quantizer.encode(vectors, stages=0)


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


def test_no_vectors_give_no_indices(quantizer):
    assert quantizer.encode(torch.empty(0, 16)).shape == (0, quantizer.num_indices)


def test_the_search_is_in_float32_under_mixed_precision(quantizer, vectors):
    plain = quantizer.eval()(vectors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = quantizer(vectors)
    assert mixed.values.dtype == torch.float32
    assert torch.equal(mixed.indices, plain.indices)


def test_a_copy_with_the_same_state_encodes_the_same(config, quantizer, vectors):
    other = build(config, Quantizer)
    assert not torch.equal(other.encode(vectors), quantizer.encode(vectors))
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.encode(vectors), quantizer.encode(vectors))


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


def test_vectors_of_another_dimension_are_refused_by_number(quantizer):
    with pytest.raises(ValueError, match=r"dimension 9.*dim=16"):
        quantizer.encode(torch.randn(3, 9))
    with pytest.raises(ValueError, match=r"dimension 9.*dim=16"):
        quantizer.fit(torch.randn(3, 9))


def test_too_many_columns_of_indices_are_refused_by_number(quantizer):
    with pytest.raises(ValueError, match=f"{quantizer.num_indices + 1} columns"):
        quantizer.decode(torch.zeros(2, quantizer.num_indices + 1, dtype=torch.int64))


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
