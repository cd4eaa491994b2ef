"""The compiled searches against those in plain PyTorch, and what no search may do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import local

import pytest
import torch

from vqvae.quantizers import (
    VQ,
    AdditiveVQ,
    ProductResidualVQ,
    ProductVQ,
    Quantizer,
    ResidualVQ,
    beam_search,
    dispatch,
    workspace,
)

# Codebooks smaller than a block of the compiled searches, of one block, and of several
QUANTIZERS = {
    "vq": lambda bits: VQ(16, bits),
    "product": lambda bits: ProductVQ(16, 4, bits),
    "residual": lambda bits: ResidualVQ(16, 4, bits),
    "residual with a beam": lambda bits: ResidualVQ(16, 4, bits, beam=8),
    "additive": lambda bits: AdditiveVQ(16, 4, bits, beam=8),
    "additive with local search": lambda bits: AdditiveVQ(16, 3, bits, beam=4, refinements=2),
    "product residual": lambda bits: ProductResidualVQ(16, 2, 3, bits, beam=4),
}


@pytest.fixture(params=[1, 3, 7, 9], ids="{}_bits".format)
def bits(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=QUANTIZERS)
def quantizer(request: pytest.FixtureRequest, bits: int) -> Quantizer:
    return QUANTIZERS[request.param](bits)


def plainly(monkeypatch: pytest.MonkeyPatch, quantizer: Quantizer, x: torch.Tensor) -> torch.Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "_load", lambda: None)
        return quantizer.search(x)


def test_both_find_the_same_indices(quantizer, monkeypatch):
    x = torch.randn(500, 16)
    assert torch.equal(quantizer.encode(x), plainly(monkeypatch, quantizer, x))


@pytest.mark.parametrize(
    "exact",
    [VQ(16, 7), ProductVQ(16, 4, 4), ResidualVQ(16, 4, 2, beam=256), AdditiveVQ(16, 4, 2, beam=256)],
    ids=lambda quantizer: type(quantizer).__name__,
)
def test_where_ties_abound_both_find_the_same_errors(exact, monkeypatch):
    """Small whole numbers, which float32 adds without rounding, and beams that hold everything."""
    with torch.no_grad():
        exact.codebooks.copy_(torch.randint(-2, 3, exact.codebooks.shape))
    x = torch.randint(-4, 5, (300, 16)).float()
    found, expected = (exact.decode(indices) for indices in (exact.encode(x), plainly(monkeypatch, exact, x)))
    assert torch.equal((x - found).square().sum(1), (x - expected).square().sum(1))


def test_without_a_table_of_all_pairs_the_same_is_found(quantizer, monkeypatch):
    x = torch.randn(200, 16)
    expected = quantizer.encode(x)
    monkeypatch.setattr(beam_search, "MAX_TABLE_FLOATS", 0)
    assert torch.equal(quantizer.encode(x), expected)


def test_without_numba_everything_still_works_and_says_so_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "vqvae.backend.numba", raising=False)
    monkeypatch.delitem(sys.modules, "vqvae.quantizers.kernels", raising=False)
    monkeypatch.delattr("vqvae.quantizers.kernels", raising=False)
    dispatch._load.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"Numba cannot be imported.*plain PyTorch") as warned:
        assert dispatch.kernels_for(torch.zeros(1)) is None
        assert ResidualVQ(16, 4, 4, beam=8).encode(torch.randn(10, 16)).shape == (10, 4)
    assert len(warned) == 1
    dispatch._load.cache_clear()


def test_searching_for_what_is_not_finite_gives_indices_that_can_be_decoded(quantizer, monkeypatch):
    x = torch.randn(6, 16)
    x[0], x[1, 3], x[2, 5], x[3] = torch.nan, torch.nan, torch.inf, 3e38
    for indices in (quantizer.search(x), plainly(monkeypatch, quantizer, x)):
        assert indices.min() >= 0 and indices.max() < quantizer.codebook_size
    assert torch.equal(quantizer.search(x)[4:], quantizer.search(x[4:]))


def test_searches_in_several_threads_do_not_disturb_one_another(quantizer):
    inputs = [torch.randn(300, 16) for _ in range(8)]
    expected = [quantizer.encode(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, one in zip(pool.map(quantizer.encode, inputs), expected, strict=True):
            assert torch.equal(found, one)


@pytest.mark.parametrize("first", [True, False])
def test_inference_mode_may_come_and_go(quantizer, first, monkeypatch):
    monkeypatch.setattr(workspace, "_thread", local())
    x = torch.randn(50, 16)
    with torch.inference_mode(first):
        once = quantizer.encode(x)
    with torch.inference_mode(not first):
        assert torch.equal(quantizer.encode(x), once)


def test_on_another_device_no_value_comes_back_to_the_host(quantizer):
    """Tensors on the meta device have no values: whatever asks for one raises."""
    with torch.no_grad():
        indices = quantizer.to("meta").search(torch.empty(100, 16, device="meta"))
    assert indices.device.type == "meta" and indices.shape == (100, quantizer.num_indices)


def test_a_quantizer_alone_loads_neither_numba_nor_lightning_until_it_searches():
    code = "import sys; from vqvae.quantizers import AdditiveVQ; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "pytorch_lightning", "hydra"} & set(loaded)


MANY = """
import resource, torch
from vqvae.quantizers import *
from vqvae.quantizers import dispatch
{plain}
x = torch.randn({number}, 64)
quantizers = {quantizers}
for quantizer in quantizers:
    quantizer.encode(x[:5000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for quantizer in quantizers:
    quantizer.encode(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "plain", "quantizers"),
    [
        (1_000_000, "", "[ProductVQ(64, 4, 6), ResidualVQ(64, 4, 6), AdditiveVQ(64, 4, 4, beam=4)]"),
        (100_000, "dispatch._load = lambda: None", "[ProductVQ(64, 4, 6), ResidualVQ(64, 4, 4, beam=4)]"),
    ],
    ids=["compiled", "plain"],
)
def test_many_vectors_take_little_more_memory_than_their_indices(number, plain, quantizers):
    code = MANY.format(number=number, plain=plain, quantizers=quantizers)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # of what the system counts memory in
    assert int(done.stdout) * unit < number * 4 * 8 + 64e6
