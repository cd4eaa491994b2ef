"""The context model, beyond what holds for every entropy model."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae.backend.dispatch import Plain
from vqvae.entropy import Context, range_coder
from vqvae.entropy.context import kernels
from vqvae.entropy.context import network as plain
from vqvae.entropy.context.compiled_network import CompiledNetwork
from vqvae.entropy.context.model import _cached_wavefronts, _fastest, _wavefronts
from vqvae.entropy.context.network import LIMITS, Network
from vqvae.entropy.context.plain_network import PlainNetwork
from vqvae.entropy.context.training import DIGITS, TrainedNetwork


def make(stages: int = 5, index_bits: int = 3, extreme: bool = False) -> Context:
    """A model with random tables, as large as they can be where `extreme`."""
    model = Context(stages, index_bits, dim=64, hidden=[512, 512], steps=1, batch=64, learning_rate=0.01)
    draws = np.random.default_rng(0)
    for name in DIGITS:
        table = getattr(model, name)
        limit = LIMITS.get(name, 127) if extreme else LIMITS.get(name, 127) // 8
        drawn = (
            draws.choice([-limit, limit], table.shape) if extreme else draws.integers(-limit, limit + 1, table.shape)
        )
        setattr(model, name, torch.from_numpy(drawn).to(table.dtype))
    model.check()
    return model


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("stages", [1, 5])
def test_compiled_and_plain_arithmetic_give_the_same_frequencies_up_to_the_largest_tables(stages, extreme):
    model = make(stages, extreme=extreme)
    tables = {name: table.numpy() for name, table in model.named_buffers()}
    networks: list[Network] = [CompiledNetwork(tables), PlainNetwork(tables)]
    grid = np.random.default_rng(1).integers(10, size=(2, 9, 9, stages), dtype=np.int32)  # 8 outside, 9 not known yet
    positions = np.arange(81).reshape(9, 9)[2:7, 2:7].ravel()
    symbols = grid.reshape(2, 81, stages)[:, positions]
    for shift in range(8):  # so that each index is asked for
        inside = (symbols + shift) % 8
        one, other = (
            network.intervals(network.context_sums(grid, positions), inside, range(stages)) for network in networks
        )
        assert np.array_equal(one, other)
    assert (
        (PlainNetwork(tables).frequencies(networks[1].context_sums(grid, positions), symbols, 0) + 1).sum(-1) == 2**24
    ).all()


@pytest.mark.parametrize("lmbda", [0.0, 1e-3, 0.2, 7.0])
def test_compiled_and_plain_arithmetic_choose_the_same_indices_of_least_distortion_and_bits(lmbda):
    model, draws = make(), np.random.default_rng(2)
    tables = {name: table.numpy() for name, table in model.named_buffers()}
    grid = draws.integers(10, size=(2, 30, 30, 5), dtype=np.int32)
    positions = np.arange(900).reshape(30, 30)[2:28, 2:28].ravel()
    subvectors = draws.standard_normal((2, 676, 5, 3), dtype=np.float32)
    codebooks = draws.standard_normal((5, 8, 3), dtype=np.float32)
    further = draws.random((5, 8), dtype=np.float32)
    chosen = []
    for network in (CompiledNetwork(tables), PlainNetwork(tables)):
        symbols = np.zeros((2, 676, 5), np.int32)
        sums = network.context_sums(grid, positions)
        network.rdo_quantize(sums, symbols, subvectors, codebooks, lmbda, further)
        chosen.append(symbols)
    assert np.array_equal(*chosen) and len(np.unique(symbols)) > 4
    for stage in range(5):
        frequencies = network.frequencies(network.context_sums(grid, positions), symbols, stage)
        costs = ((subvectors[:, :, stage, None] - codebooks[stage]) ** 2).sum(-1)
        costs += lmbda * (24 - np.log2(frequencies + 1)) + further[stage]
        cost = np.take_along_axis(costs, symbols[..., stage, None].astype(np.int64), -1)[..., 0]
        assert (cost <= costs.min(-1) + 0.05 * lmbda + 1e-5).all(), "the coder's bits differ by rounding alone"


def test_ties_are_resolved_alike():
    """Codewords and vectors on a coarse grid, with equal distances everywhere."""
    model, draws = make(), np.random.default_rng(3)
    tables = {name: table.numpy() for name, table in model.named_buffers()}
    grid = draws.integers(10, size=(1, 30, 30, 5), dtype=np.int32)
    positions = np.arange(900).reshape(30, 30)[2:28, 2:28].ravel()
    subvectors = draws.integers(-2, 3, (1, 676, 5, 3)).astype(np.float32)
    codebooks = draws.integers(-2, 3, (5, 8, 3)).astype(np.float32)
    chosen = []
    for network in (CompiledNetwork(tables), PlainNetwork(tables)):
        symbols = np.zeros((1, 676, 5), np.int32)
        network.rdo_quantize(
            network.context_sums(grid, positions), symbols, subvectors, codebooks, 0.5, np.zeros((5, 8), np.float32)
        )
        chosen.append(symbols)
    assert np.array_equal(*chosen)


def test_the_constants_of_the_kernels_are_those_of_the_plain_network():
    """They are written twice, since machine code on disk does not notice changes in other files."""
    for name in ("FIRST_SHIFT", "SECOND_SHIFT", "THIRD_SHIFT", "LARGEST_ACTIVATION"):
        assert getattr(kernels, name) == getattr(plain, name)
    assert kernels.LAST_POWER == plain.POWERS - 1
    assert (kernels.PRECISION, kernels.MAX_PROBABILITY_RATIO) == (
        range_coder.PRECISION,
        range_coder.MAX_PROBABILITY_RATIO,
    )
    source = Path(kernels.__file__).read_text()
    imported = re.findall(r"^from vqvae\S* import (.*)$", source, re.MULTILINE)
    assert imported == ["compiled, compiled_freely"]


@pytest.mark.parametrize("neighbours", [[[0, -1]], [[0, -1], [0, -2], [0, -7]], [[-1, 1], [-3, 5], [0, -1]]])
def test_the_neighbours_are_data_of_the_model(neighbours):
    torch.manual_seed(0)
    arguments = {"dim": 8, "hidden": [16, 8], "steps": 60, "batch": 256, "learning_rate": 0.01}
    model = Context(2, 3, **arguments, neighbours=neighbours)
    indices = np.random.default_rng(0).integers(0, 2, (40, 4, 9, 2)).cumsum(2) % 8
    model.fit(indices, torch.randn(2, 8, 5))
    payloads = model.encode(indices[:3])
    assert np.array_equal(model.decode(payloads, indices[:3, ..., :0], 2), indices[:3])
    with Plain().coding(1):
        assert model.encode(indices[:3]) == payloads
    one_row = indices[:3, :1]
    assert np.array_equal(model.decode(model.encode(one_row), one_row[..., :0], 2), one_row)
    assert model.bits(indices).sum() < 0.7 * indices.size * 3, "the neighbour to the left tells much"


@pytest.mark.parametrize("neighbours", [[], [[0, 0]], [[0, 1]], [[-1, 2]], [[1, -5]], [[0, -17]], [[0, -1, 2]]])
def test_neighbours_that_are_not_decoded_before_are_refused(neighbours):
    arguments = {"dim": 8, "hidden": [16, 8], "steps": 1, "batch": 1, "learning_rate": 0.01}
    with pytest.raises(ValueError, match="neighbour"):
        Context(2, 3, **arguments, neighbours=neighbours)


def test_a_pickled_model_is_as_large_as_its_tables_and_no_larger_after_use():
    model = make()
    fresh = len(pickle.dumps(model))
    indices = np.random.default_rng(0).integers(8, size=(1, 9, 9, 5))
    payloads = model.encode(indices)
    assert len(pickle.dumps(model)) == fresh
    assert pickle.loads(pickle.dumps(model)).encode(indices) == payloads


def test_memory_for_the_order_of_large_grids_is_not_kept():
    before = _cached_wavefronts.cache_info().currsize
    fronts = list(_wavefronts(200, 300, 2))
    everywhere = (np.arange(200)[:, None] + 2) * 304 + np.arange(300) + 2
    assert np.array_equal(np.sort(np.concatenate(fronts)), everywhere.ravel())
    assert _cached_wavefronts.cache_info().currsize == before


def test_what_is_trained_is_what_the_integers_compute():
    """The network that is trained, rounded, gives the frequencies of its own tables but for the rounding of logits."""
    torch.manual_seed(0)
    model = Context(3, 4, dim=16, hidden=[32, 16], steps=200, batch=512, learning_rate=0.01)
    indices = np.random.default_rng(0).integers(0, 3, (100, 6, 6, 3)).cumsum(1).cumsum(3) % 16
    model.fit(indices, torch.randn(3, 16, 8))
    trained = TrainedNetwork(dict(model.named_buffers()), torch.zeros(3, 16, 8))
    with torch.no_grad():
        logits = trained(torch.from_numpy(indices), visible=3)
    nats = [
        torch.nn.functional.cross_entropy(z.flatten(0, 2) * np.log(2), torch.from_numpy(indices[..., m]).flatten())
        for m, z in enumerate(logits)
    ]
    bits = float(sum(nats)) / np.log(2) * indices[..., 0].size
    assert model.bits(indices).sum() == pytest.approx(bits, rel=0.003)


def test_fitting_again_goes_on_from_what_was_learned():
    torch.manual_seed(0)
    indices = np.random.default_rng(0).integers(0, 3, (100, 6, 6, 3)).cumsum(1).cumsum(3) % 16
    model = Context(3, 4, dim=16, hidden=[32, 16], steps=100, batch=512, learning_rate=0.01)
    bits = []
    for _ in range(3):
        model.fit(indices, torch.randn(3, 16, 8))
        bits.append(model.bits(indices).sum())
    assert bits[2] < bits[1] < bits[0]


def test_without_numba_the_plain_arithmetic_is_used_with_a_warning(monkeypatch):
    assert _fastest() is CompiledNetwork
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in ("backend.numba", "entropy.context.kernels", "entropy.context.compiled_network"):
        monkeypatch.delitem(sys.modules, f"vqvae.{module}", raising=False)
    monkeypatch.delattr("vqvae.entropy.context.kernels")
    _fastest.cache_clear()
    with pytest.warns(RuntimeWarning, match="Numba cannot be imported"):
        assert _fastest() is PlainNetwork
    _fastest.cache_clear()


@pytest.mark.parametrize(
    ("sizes", "reason"), [({"dim": 65}, "dim is 65"), ({"hidden": [513, 4]}, "513"), ({"stages": 25}, "stages is 25")]
)
def test_sizes_whose_sums_would_not_be_exact_are_refused(sizes, reason):
    arguments = {"stages": 2, "index_bits": 3, "dim": 8, "hidden": [8, 8], "steps": 1, "batch": 1, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=reason):
        Context(**{**arguments, **sizes})
