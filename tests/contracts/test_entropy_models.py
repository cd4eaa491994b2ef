"""What holds for every entropy model of conf/entropy, but for those with layers: tests/entropy/test_layered.py."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.configs import load, names
from vqvae.entropy import EntropyModel
from vqvae.entropy.range_coder import PRECISION
from vqvae.errors import BitstreamError
from vqvae.models.registry import build

MODELS = [name for name in names("entropy") if name != "layered_context"]
STAGES, BITS = 3, 4
grids = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
SMALL = {"dim": 8, "hidden": [16, 8], "steps": 150, "batch": 256}


def make(name: str, stages: int = STAGES, index_bits: int = BITS) -> EntropyModel:
    config = load("entropy", name)
    config |= {key: value for key, value in SMALL.items() if key in config}
    return build({**config, "stages": stages, "index_bits": index_bits}, EntropyModel)


def draw_indices(number: int, height: int, width: int, seed: int, stages: int = STAGES) -> np.ndarray:
    """Indices that follow their neighbours and one another."""
    draws = np.random.default_rng(seed)
    walk = draws.integers(-1, 2, (number, height, width, 1)).cumsum(1).cumsum(2)
    return (walk * np.arange(1, stages + 1) + draws.integers(0, 3, (number, height, width, stages))) % 2**BITS


def fitted(name: str) -> EntropyModel:
    torch.manual_seed(0)
    model = make(name)
    model.fit(draw_indices(200, 6, 6, seed=1), torch.randn(STAGES, 2**BITS, 5))
    return model


@pytest.fixture(scope="module")
def models() -> dict[str, EntropyModel]:
    return {name: fitted(name) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids)
def test_indices_come_back_exactly(name, models, grid):
    indices, model = draw_indices(*grid), models[name]
    decoded = model.decode(model.encode(indices), indices[..., :0], STAGES)
    assert np.array_equal(decoded, indices) and decoded.dtype == np.int64


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids, known=st.integers(0, STAGES - 1), last=st.integers(1, STAGES))
def test_a_section_comes_back_given_the_stages_before(name, models, grid, known, last):
    indices, model = draw_indices(*grid)[..., : max(last, known + 1)], models[name]
    payloads = model.encode(indices, known)
    assert np.array_equal(model.decode(payloads, indices[..., :known], indices.shape[3]), indices)


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids)
def test_a_payload_is_as_long_as_the_bits_say(name, models, grid):
    indices, model = draw_indices(*grid), models[name]
    lengths = np.array([8 * len(payload) for payload in model.encode(indices)])
    assert (np.abs(lengths - model.bits(indices)) <= 16).all()


@pytest.mark.parametrize("name", MODELS)
def test_images_are_coded_alike_alone_and_together_in_any_order(name, models):
    indices, model = draw_indices(7, 5, 8, seed=3), models[name]
    payloads = model.encode(indices)
    assert [model.encode(image[None])[0] for image in indices] == payloads
    order = np.random.default_rng(0).permutation(7)
    assert np.array_equal(model.decode([payloads[i] for i in order], indices[..., :0], STAGES), indices[order])


@pytest.mark.parametrize("name", MODELS)
@given(payload=st.binary(max_size=40), height=st.integers(1, 5), width=st.integers(1, 5))
def test_any_bytes_are_refused_or_are_just_what_would_be_written(name, models, payload, height, width):
    model = models[name]
    with suppress(BitstreamError):
        indices = model.decode([payload], np.empty((1, height, width, 0), np.int64), STAGES)
        assert model.encode(indices) == [payload]


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids, more=st.binary(min_size=1, max_size=9))
def test_a_payload_that_goes_on_is_refused_or_another_one(name, models, grid, more):
    indices, model = draw_indices(1, *grid[1:]), models[name]
    with suppress(BitstreamError):
        assert not np.array_equal(model.decode([model.encode(indices)[0] + more], indices[..., :0], STAGES), indices)


@pytest.mark.parametrize("name", MODELS)
def test_a_huge_grid_in_a_few_bytes_is_refused_before_any_memory_is_taken(name, models):
    nothing = np.broadcast_to(np.empty((1, 1, 1, 0), np.int64), (1, 2**20, 2**20, 0))
    with pytest.raises(BitstreamError, match="damaged"):
        models[name].decode([bytes(100)], nothing, STAGES)


@pytest.mark.parametrize("name", MODELS)
def test_before_it_is_fitted_a_model_takes_the_fixed_width_or_hardly_more(name):
    indices = draw_indices(4, 8, 8, seed=0)
    assert make(name).bits(indices) == pytest.approx(8 * 8 * STAGES * BITS, rel=0.01)


@pytest.mark.parametrize("name", MODELS)
def test_the_tables_of_a_model_are_integers_and_survive_a_copy(name, models):
    tables = models[name].state_dict()
    assert not any(table.is_floating_point() for table in tables.values())
    copy = make(name)
    copy.load_state_dict(tables, assign=True)
    copy.check()
    indices = draw_indices(2, 7, 5, seed=9)
    assert copy.encode(indices) == models[name].encode(indices)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "uniform"])
def test_tables_that_none_can_have_are_noticed(name, models):
    for table in models[name].state_dict():
        for damage in (lambda t: t.float(), lambda t: torch.full_like(t, torch.iinfo(t.dtype).min)):
            copy = make(name)
            tables = models[name].state_dict()
            damaged = damage(tables[table])
            copy.load_state_dict({**tables, table: damaged}, assign=True)
            if damaged.dtype != torch.int8:  # of which every value is possible
                with pytest.raises(ValueError):
                    copy.check()


def test_models_that_know_more_take_fewer_bits(models):
    indices = draw_indices(50, 6, 6, seed=2)
    uniform, histogram, context = (models[name].bits(indices).sum() for name in ("uniform", "histogram", "context"))
    assert context < 0.9 * histogram and histogram <= 1.001 * uniform


def test_no_two_models_have_the_same_code():
    codes = [make(name).code for name in MODELS]
    assert len(set(codes)) == len(codes) and all(0 <= code < 8 for code in codes)


def test_frequencies_are_at_least_one_and_sum_to_a_power_of_two(models):
    tables = models["histogram"].frequencies
    assert (tables >= 0).all() and ((tables + 1).sum(1) == 2**PRECISION).all()


def first_of(subvectors: np.ndarray) -> np.ndarray:
    """Where nothing is above."""
    return np.empty((len(subvectors), 0, *subvectors.shape[2:4]), np.int64)


def least(model: EntropyModel, subvectors: np.ndarray, codebooks: np.ndarray, lmbda: float, indices: np.ndarray) -> int:
    """What the last index that is coded must be, given all others, by trying each."""
    costs = []
    for index, codeword in enumerate(codebooks[-1]):
        indices[0, -1, -1, -1] = index
        costs.append(((subvectors[0, -1, -1, -1] - codeword) ** 2).sum() + lmbda * model.bits(indices)[0])
    return int(np.argmin(costs))


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids, lmbda=st.floats(0, 0.3))
def test_indices_are_chosen_by_distortion_and_by_the_bits_that_they_take(name, models, grid, lmbda):
    _, height, width, seed = grid
    draws, model = np.random.default_rng(seed), models[name]
    codebooks = draws.standard_normal((STAGES, 2**BITS, 2), dtype=np.float32)
    subvectors = draws.standard_normal((1, height, width, STAGES, 2), dtype=np.float32)
    chosen = model.rdo_quantize(subvectors, codebooks, lmbda, first_of(subvectors))
    assert chosen.shape == (1, height, width, STAGES) and chosen.dtype == np.int64
    assert chosen[0, -1, -1, -1] == least(model, subvectors, codebooks, lmbda, chosen.copy())


@pytest.mark.parametrize("name", MODELS)
def test_bits_that_cost_nothing_change_no_choice_and_dear_ones_are_saved(name, models):
    draws, model = np.random.default_rng(0), models[name]
    codebooks = draws.standard_normal((STAGES, 2**BITS, 2), dtype=np.float32)
    subvectors = draws.standard_normal((2, 7, 5, STAGES, 2), dtype=np.float32)
    nearest = ((subvectors[..., None, :] - codebooks) ** 2).sum(-1).argmin(-1)
    free, dear = (model.rdo_quantize(subvectors, codebooks, lmbda, first_of(subvectors)) for lmbda in (0.0, 0.3))
    assert np.array_equal(free, nearest)
    assert model.bits(dear).sum() < model.bits(free).sum() or name == "uniform"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_indices_chosen_some_rows_at_a_time_are_those_chosen_at_once(name, rows, models):
    draws, model = np.random.default_rng(0), models[name]
    codebooks = draws.standard_normal((STAGES, 2**BITS, 2), dtype=np.float32)
    subvectors = draws.standard_normal((2, 11, 5, STAGES, 2), dtype=np.float32)
    chosen = first_of(subvectors)
    for top in range(0, 11, rows):
        some = model.rdo_quantize(subvectors[:, top : top + rows], codebooks, 0.2, chosen)
        chosen = np.concatenate([chosen, some], 1)
    assert np.array_equal(chosen, model.rdo_quantize(subvectors, codebooks, 0.2, first_of(subvectors)))
