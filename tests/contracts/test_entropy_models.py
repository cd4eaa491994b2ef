"""What holds for every entropy model of conf/entropy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.configs import load, names
from vqvae.coding import EntropyModel
from vqvae.config import build
from vqvae.errors import BitstreamError

MODELS = names("entropy")
grids = st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 11), st.integers(0, 2**32 - 1)
)


def make(name: str, stages: int, index_bits: int) -> EntropyModel:
    return build({**load("entropy", name), "stages": stages, "index_bits": index_bits}, EntropyModel)


def draw_indices(height: int, width: int, stages: int, bits: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(2**bits, size=(height, width, stages))


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids)
def test_indices_come_back_exactly(name, grid):
    height, width, stages, bits, _ = grid
    indices = draw_indices(*grid)
    model = make(name, stages, bits)
    assert np.array_equal(model.decode(model.encode(indices), height, width), indices)


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids)
def test_the_payload_is_as_long_as_the_bits_say(name, grid):
    _, _, stages, bits, _ = grid
    indices = draw_indices(*grid)
    model = make(name, stages, bits)
    assert len(model.encode(indices)) == -(-model.bits(indices) // 8)


@pytest.mark.parametrize("name", MODELS)
@given(grid=grids, cut=st.integers(-3, 3).filter(bool))
def test_a_payload_of_another_length_is_refused(name, grid, cut):
    height, width, stages, bits, _ = grid
    model = make(name, stages, bits)
    payload = model.encode(draw_indices(*grid))
    wrong = payload + bytes(cut) if cut > 0 else payload[:cut]
    with pytest.raises(BitstreamError, match="damaged"):
        model.decode(wrong, height, width)


def test_no_two_models_have_the_same_code():
    codes = [make(name, 4, 4).code for name in MODELS]
    assert len(set(codes)) == len(codes) and all(0 <= code < 16 for code in codes)
