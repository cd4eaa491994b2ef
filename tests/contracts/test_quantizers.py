"""What holds for every quantiser of conf/quantizer, with every estimator of conf/estimator."""

import pytest
import torch
from hydra.utils import instantiate

from tests.contracts.configs import load, names
from vqvae.models.registry import build
from vqvae.quantizers import Quantizer, compiled, count_usage, pieces, replace_unused


@pytest.fixture(params=names("quantizer"))
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    return build({**load("quantizer", request.param), "dim": 16, "codebook_bits": 4}, Quantizer)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(400, 16) @ torch.randn(16, 16)


def error(quantizer: Quantizer, vectors: torch.Tensor) -> float:
    return (vectors - quantizer.decode(quantizer.encode(vectors))).square().sum(1).mean().item()


def test_indices_are_one_int64_per_stage_below_the_codebook_size(quantizer, vectors):
    indices = quantizer.encode(vectors)
    assert indices.shape == (400, quantizer.stages)
    assert indices.dtype == torch.int64
    assert indices.min() >= 0 and indices.max() < quantizer.codebook_size


def test_bits_per_vector_are_the_logarithms_of_the_codebook_sizes(quantizer):
    assert quantizer.bits_per_vector == 4 * quantizer.stages
    assert quantizer.index_bits == 4


def test_values_of_all_indices_are_distinct_so_that_no_bit_is_wasted(quantizer):
    indices = torch.randint(16, (50, quantizer.stages)).unique(dim=0)
    assert len(quantizer.decode(indices).unique(dim=0)) == len(indices)


def test_tables_add_up_to_the_squared_distances_from_decoded_vectors(quantizer, vectors):
    indices = quantizer.encode(vectors)
    values, tables = quantizer.decode(indices).detach(), quantizer.distance_tables(vectors[:9])
    sums = torch.stack([table[index] for table, index in zip(tables, indices.T, strict=True)]).sum(0)
    if not quantizer.separable:
        sums = sums + values.square().sum(1, keepdim=True)
    torch.testing.assert_close(sums.T, torch.cdist(vectors[:9], values).square(), rtol=1e-3, atol=1e-3)


def test_evaluation_returns_exactly_the_decoded_indices_and_no_loss(quantizer, vectors):
    quantized = quantizer.eval()(vectors)
    assert torch.equal(quantized.values, quantizer.decode(quantized.indices))
    assert torch.equal(quantized.indices, quantizer.encode(vectors))
    assert quantized.loss == 0


def test_indices_are_chosen_by_distance_and_costs_where_each_can_be_chosen_alone(quantizer, vectors):
    costs = 30 * torch.rand(quantizer.stages, 16)
    if not quantizer.separable:
        with pytest.raises(ValueError, match=f"{type(quantizer).__name__} cannot choose by costs"):
            quantizer.encode(vectors, costs)
        return
    chosen = quantizer.encode(vectors, costs)
    best = (quantizer.distance_tables(vectors) + costs.unsqueeze(2)).argmin(1).T
    assert torch.equal(chosen, best) and not torch.equal(chosen, quantizer.encode(vectors))
    assert torch.equal(quantizer.eval()(vectors, costs).indices, chosen)


@pytest.mark.parametrize("estimator", names("estimator"))
def test_every_estimator_sends_gradients_to_the_encoder_and_moves_the_codewords_in_use(quantizer, vectors, estimator):
    quantizer.fit(vectors)
    quantizer.use(instantiate(load("estimator", estimator)))
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
    quantizer.use(instantiate(load("estimator", estimator)))
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
def test_a_search_in_pieces_finds_the_same_indices(quantizer, vectors, search, monkeypatch):
    if search == "plain":
        monkeypatch.setattr(compiled, "_load", lambda: None)
    whole = quantizer.encode(vectors)
    monkeypatch.setitem(pieces.WORKSPACE, "cpu", 2000)
    assert torch.equal(quantizer.encode(vectors), whole)


def test_no_vectors_give_no_indices(quantizer):
    assert quantizer.encode(torch.empty(0, 16)).shape == (0, quantizer.stages)


def test_the_search_is_in_float32_under_mixed_precision(quantizer, vectors):
    plain = quantizer.eval()(vectors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = quantizer(vectors)
    assert mixed.values.dtype == torch.float32
    assert torch.equal(mixed.indices, plain.indices)


def test_a_copy_with_the_same_state_encodes_the_same(quantizer, vectors):
    other = type(quantizer)(**{**_arguments(quantizer)})
    assert not torch.equal(other.encode(vectors), quantizer.encode(vectors))
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.encode(vectors), quantizer.encode(vectors))


def _arguments(quantizer: Quantizer) -> dict[str, int]:
    arguments = {"dim": quantizer.dim, "codebook_bits": quantizer.index_bits}
    if quantizer.stages > 1:
        arguments["stages"] = quantizer.stages
    return arguments | ({"beam": quantizer.beam} if hasattr(quantizer, "beam") else {})


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
    with pytest.raises(ValueError, match=f"{quantizer.stages + 1} columns"):
        quantizer.decode(torch.zeros(2, quantizer.stages + 1, dtype=torch.int64))


@pytest.mark.parametrize("bits", [0, 17])
def test_impossible_codebook_sizes_are_refused(quantizer, bits):
    with pytest.raises(ValueError, match=f"codebook_bits is {bits}"):
        type(quantizer)(**_arguments(quantizer) | {"codebook_bits": bits})
