"""What faiss makes of our codebooks and indices."""

import subprocess
import sys

import faiss
import numpy as np
import pytest
import torch

from tests.search.conftest import DIM, QUANTIZERS
from vqvae.quantizers import AdditiveVQ, ProductResidualVQ, ProductVQ, Quantizer
from vqvae.search import Index
from vqvae.search.faiss import add_indices, to_faiss


@pytest.fixture(params=[name for name in QUANTIZERS if name != "product residual"])
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    """Those that faiss has an index for with the same order of indices."""
    return QUANTIZERS[request.param]()


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(600, DIM) @ torch.randn(DIM, DIM)


def test_faiss_decodes_our_indices_to_our_values(quantizer, vectors):
    indices = quantizer.encode(vectors)
    index = to_faiss(quantizer)
    assert index.is_trained and index.ntotal == 0
    add_indices(index, indices[:100])
    add_indices(index, indices[100:])
    np.testing.assert_allclose(
        index.reconstruct_n(0, 600), quantizer.decode(indices).detach().numpy(), rtol=1e-6, atol=1e-5
    )


def test_faiss_finds_among_our_indices_what_we_find(quantizer, vectors):
    quantizer.fit(vectors, iterations=2)
    ours, theirs = Index(quantizer), to_faiss(quantizer)
    ours.add(vectors)
    add_indices(theirs, quantizer.encode(vectors))
    queries = torch.randn(80, DIM)
    distances, ids = ours.search(queries, 10)
    expected, expected_ids = theirs.search(queries.numpy(), 10)
    np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-3)
    assert (ids.numpy() == expected_ids).mean() > 0.98  # the rest are ties


def test_vectors_that_faiss_encodes_itself_are_as_near(quantizer, vectors):
    quantizer.fit(vectors, iterations=2)
    index = to_faiss(quantizer)
    index.add(vectors.numpy())

    def error(values: torch.Tensor) -> float:
        return float((vectors - values).square().sum(1).mean())

    ours = error(quantizer.decode(quantizer.encode(vectors)).detach())
    theirs = error(torch.from_numpy(index.reconstruct_n(0, 600)))
    if isinstance(quantizer, AdditiveVQ):
        assert ours < theirs + 1e-6 < 2 * ours + 1e-5
    else:
        assert theirs == pytest.approx(ours, rel=1e-2)


def test_such_an_index_can_be_written_and_read(quantizer, vectors, tmp_path):
    index = to_faiss(quantizer)
    add_indices(index, quantizer.encode(vectors))
    faiss.write_index(index, str(tmp_path / "index"))
    again = faiss.read_index(str(tmp_path / "index"))
    for one, other in zip(index.search(vectors.numpy(), 3), again.search(vectors.numpy(), 3), strict=True):
        np.testing.assert_array_equal(one, other)
    add_indices(again, quantizer.encode(vectors))
    assert again.ntotal == 1200


def test_a_quantizer_that_faiss_does_not_have_is_refused():
    with pytest.raises(TypeError, match="no equivalent of ProductResidualVQ"):
        to_faiss(ProductResidualVQ(8, 2, 2, 2))
    with pytest.raises(TypeError, match="no codebooks of 5 codewords"):
        to_faiss(ProductVQ(8, 2, codebook_size=5))


def test_without_faiss_one_line_says_what_to_install():
    code = """
import sys
sys.modules["faiss"] = None
import vqvae.search
from vqvae.errors import VqvaeError
try:
    import vqvae.search.faiss
except VqvaeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "faiss is not installed: pip install 'vqkit[faiss]'\n"
