"""The context model, beyond what holds for every entropy model."""

import sys

import numpy as np
import pytest
import torch

from vqvae.entropy import Context
from vqvae.entropy.context.kernels import CompiledNetwork
from vqvae.entropy.context.model import _fastest
from vqvae.entropy.context.network import LIMITS, Network, PlainNetwork
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
    places = np.arange(81).reshape(9, 9)[2:7, 2:7].ravel()
    here = grid.reshape(2, 81, stages)[:, places]
    for stage in range(stages):
        one, other = (network.frequencies(network.near(grid, places), here, stage) for network in networks)
        assert np.array_equal(one, other) and ((one + 1).sum(-1) == 2**24).all()
    inside = here % 8
    one, other = (network.intervals(network.near(grid, places), inside, range(stages)) for network in networks)
    assert np.array_equal(one, other)


def test_compiled_and_plain_arithmetic_choose_alike_but_for_ties():
    model, draws = make(), np.random.default_rng(2)
    tables = {name: table.numpy() for name, table in model.named_buffers()}
    grid = draws.integers(10, size=(2, 9, 9, 5), dtype=np.int32)
    places = np.arange(81).reshape(9, 9)[2:7, 2:7].ravel()
    parts = draws.standard_normal((2, 25, 5, 3), dtype=np.float32)
    codebooks = draws.standard_normal((5, 8, 3), dtype=np.float32)
    compiled, plain = CompiledNetwork(tables), PlainNetwork(tables)
    here = np.zeros((2, 25, 5), np.int32)
    compiled.choose(compiled.near(grid, places), here, parts, codebooks, 0.2)
    for stage in range(5):
        bits = 24 - np.log2(plain.frequencies(plain.near(grid, places), here, stage) + 1)
        costs = ((parts[:, :, stage, None] - codebooks[stage]) ** 2).sum(-1) + 0.2 * bits
        chosen = np.take_along_axis(costs, here[..., stage, None].astype(np.int64), -1)[..., 0]
        assert (chosen <= costs.min(-1) + 0.2 * 0.05).all()
    assert len(np.unique(here)) > 4


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


def test_without_numba_the_plain_arithmetic_is_used(monkeypatch):
    assert _fastest() is CompiledNetwork
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in ("vqvae.backend.numba", "vqvae.entropy.context.kernels"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert _fastest() is PlainNetwork


@pytest.mark.parametrize(
    ("sizes", "reason"), [({"dim": 65}, "dim is 65"), ({"hidden": [513, 4]}, "513"), ({"stages": 25}, "stages is 25")]
)
def test_sizes_whose_sums_would_not_be_exact_are_refused(sizes, reason):
    arguments = {"stages": 2, "index_bits": 3, "dim": 8, "hidden": [8, 8], "steps": 1, "batch": 1, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=reason):
        Context(**{**arguments, **sizes})
