"""Each search against brute force."""

from itertools import product

import pytest
import torch

from vqvae.quantizers import VQ, AdditiveVQ, ProductVQ, ResidualVQ, dispatch
from vqvae.quantizers.beam_search import Expansion, search_in_any_order


@pytest.fixture(autouse=True, params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here holds for the compiled searches and for those in plain PyTorch."""
    if request.param == "plain":
        monkeypatch.setattr(dispatch, "_load", lambda: None)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(300, 8)


def errors(quantizer, vectors) -> torch.Tensor:
    return (vectors - quantizer.decode(quantizer.encode(vectors))).square().sum(1)


def best_errors(quantizer, vectors) -> torch.Tensor:
    """The least error over every combination of codewords."""
    choices = [range(quantizer.codebook_size)] * quantizer.stages
    everything = quantizer.decode(torch.tensor(list(product(*choices))))
    return torch.cdist(vectors.double(), everything.double()).min(1).values.square().float()


def test_vq_finds_the_nearest_codeword(vectors):
    quantizer = VQ(8, codebook_bits=5)
    nearest = torch.cdist(vectors.double(), quantizer.codebooks[0].double()).argmin(1)
    assert torch.equal(quantizer.encode(vectors)[:, 0], nearest)


def test_product_vq_finds_the_nearest_codeword_in_each_part(vectors):
    quantizer = ProductVQ(8, stages=4, codebook_bits=4)
    for stage in range(4):
        part = vectors[:, 2 * stage : 2 * stage + 2]
        nearest = torch.cdist(part.double(), quantizer.codebooks[stage].double()).argmin(1)
        assert torch.equal(quantizer.encode(vectors)[:, stage], nearest)


def test_greedy_residual_vq_quantises_what_each_stage_left_over(vectors):
    quantizer = ResidualVQ(8, stages=3, codebook_bits=4, beam=1)
    remainder = vectors.double()
    for stage, codebook in enumerate(quantizer.codebooks.double()):
        nearest = torch.cdist(remainder, codebook).argmin(1)
        assert torch.equal(quantizer.encode(vectors)[:, stage], nearest)
        remainder = remainder - codebook[nearest]


@pytest.mark.parametrize("method", [ResidualVQ, AdditiveVQ])
def test_a_beam_that_keeps_everything_finds_the_best_sum(method, vectors):
    quantizer = method(8, stages=3, codebook_bits=3, beam=8**3)
    torch.testing.assert_close(errors(quantizer, vectors), best_errors(quantizer, vectors))


@pytest.mark.parametrize("method", [ResidualVQ, AdditiveVQ])
def test_a_wider_beam_leaves_less_error_on_average(method, vectors):
    quantizer = method(8, stages=4, codebook_bits=4, beam=1)
    narrow = errors(quantizer, vectors).mean()
    quantizer.beam = 8
    wide = errors(quantizer, vectors).mean()
    quantizer.beam = 64
    widest = errors(quantizer, vectors).mean()
    assert narrow > wide > widest


def test_additive_vq_may_take_its_codebooks_in_any_order(vectors):
    """With the small codebook first, a greedy residual search is misled where a greedy additive one is not."""
    additive = AdditiveVQ(8, stages=2, codebook_bits=4, beam=1)
    with torch.no_grad():
        additive.codebooks[0] *= 0.1
        additive.codebooks[1] *= 3
    residual = ResidualVQ(8, stages=2, codebook_bits=4, beam=1)
    residual.load_state_dict(additive.state_dict())
    assert errors(additive, vectors).mean() < errors(residual, vectors).mean()


def test_an_additive_beam_is_not_filled_with_one_sum_in_different_orders(vectors):
    """The search over sets, where no order exists, reaches the same sums with the same beam."""
    quantizer = AdditiveVQ(8, stages=3, codebook_bits=2, beam=4)
    terms = Expansion(quantizer.codebooks.detach())
    found = search_in_any_order(terms, terms.single(vectors), quantizer.beam)
    step_by_step = torch.stack([_beam_of_sets(quantizer, vector) for vector in vectors])
    torch.testing.assert_close((vectors - quantizer.decode(found.indices)).square().sum(1), step_by_step)


def _beam_of_sets(quantizer: AdditiveVQ, vector: torch.Tensor) -> torch.Tensor:
    """The textbook search over sets of (codebook, codeword), one vector at a time."""
    beam: set[frozenset[tuple[int, int]]] = {frozenset()}
    for _ in range(quantizer.stages):
        grown = {
            chosen | {(stage, index)}
            for chosen in beam
            for stage in range(quantizer.stages)
            if stage not in {used for used, _ in chosen}
            for index in range(quantizer.codebook_size)
        }
        beam = set(sorted(grown, key=lambda chosen: _set_error(quantizer, vector, chosen))[: quantizer.beam])
    return torch.tensor(min(_set_error(quantizer, vector, chosen) for chosen in beam))


def _set_error(quantizer: AdditiveVQ, vector: torch.Tensor, chosen: frozenset[tuple[int, int]]) -> float:
    total = sum((quantizer.codebooks[stage, index].detach() for stage, index in chosen), torch.zeros(8))
    return float((vector - total).square().sum())


def test_additive_vq_never_has_a_larger_error_than_residual_vq_with_the_same_codebooks(vectors):
    residual = ResidualVQ(8, stages=4, codebook_bits=4, beam=4)
    with torch.no_grad():
        residual.codebooks *= torch.tensor([3.0, 1.5, 0.7, 0.4]).view(4, 1, 1)
    additive = AdditiveVQ(8, stages=4, codebook_bits=4, beam=4)
    additive.load_state_dict(residual.state_dict())
    additive_errors, residual_errors = errors(additive, vectors), errors(residual, vectors)
    assert (additive_errors <= residual_errors + 1e-5).all()
    assert additive_errors.mean() < residual_errors.mean()


def test_local_search_lowers_some_errors_and_raises_none(vectors):
    quantizer = AdditiveVQ(8, stages=4, codebook_bits=4, beam=1)
    before = errors(quantizer, vectors)
    quantizer.refinements = 3
    after = errors(quantizer, vectors)
    assert (after <= before + 1e-5).all()
    assert after.mean() < 0.98 * before.mean()


def test_after_local_search_no_single_codeword_can_be_bettered(vectors):
    quantizer = AdditiveVQ(8, stages=3, codebook_bits=4, beam=1, refinements=50)
    indices = quantizer.encode(vectors)
    reached = (vectors - quantizer.decode(indices)).square().sum(1)
    for stage, index in product(range(3), range(16)):
        changed = indices.clone()
        changed[:, stage] = index
        assert ((vectors - quantizer.decode(changed)).square().sum(1) >= reached - 1e-5).all()


@pytest.mark.parametrize("method", [ResidualVQ, AdditiveVQ])
def test_the_first_stages_alone_decode_to_the_sum_of_their_codewords(method):
    quantizer = method(8, stages=4, codebook_bits=4)
    indices = torch.randint(16, (10, 4))
    two = quantizer.codebooks[0, indices[:, 0]] + quantizer.codebooks[1, indices[:, 1]]
    torch.testing.assert_close(quantizer.decode(indices[:, :2]), two)


def test_product_vq_refuses_to_decode_some_of_its_stages():
    with pytest.raises(ValueError, match="2 columns, but ProductVQ decodes: 4"):
        ProductVQ(8, stages=4, codebook_bits=4).decode(torch.zeros(1, 2, dtype=torch.int64))


def test_product_vq_refuses_a_dimension_that_its_stages_do_not_divide():
    with pytest.raises(ValueError, match="dim=10 cannot be split into 4 equal pieces"):
        ProductVQ(10, stages=4, codebook_bits=4)


def test_an_empty_beam_is_refused():
    with pytest.raises(ValueError, match="beam is 0"):
        ResidualVQ(8, stages=2, codebook_bits=4, beam=0)


def test_a_negative_number_of_refinements_is_refused():
    with pytest.raises(ValueError, match="refinements is -1"):
        AdditiveVQ(8, stages=2, codebook_bits=4, refinements=-1)
