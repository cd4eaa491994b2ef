"""Searches against those of faiss, with the same codebooks and vectors, and trainings against theirs."""

import faiss
import numpy as np
import pytest
import torch

from vqvae.quantizers import AdditiveVQ, ProductVQ, Quantizer, ResidualVQ

DIM, STAGES, BITS = 16, 4, 8  # 8 bits, so that each of faiss's codes is a byte


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(4000, DIM) @ torch.randn(DIM, DIM)


def residual_codes(quantizer: ResidualVQ, x: torch.Tensor) -> torch.Tensor:
    peer = faiss.ResidualQuantizer(DIM, STAGES, BITS)
    peer.max_beam_size = quantizer.beam
    faiss.copy_array_to_vector(quantizer.codebooks.detach().numpy().ravel(), peer.codebooks)
    peer.is_trained = True
    return torch.from_numpy(peer.compute_codes(x.numpy()).astype(np.int64))


def errors(quantizer: Quantizer, indices: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (x - quantizer.decode(indices)).square().sum(1).detach()


@pytest.mark.parametrize("beam", [1, 8])
def test_residual_vq_finds_what_faiss_finds(vectors, beam):
    quantizer = ResidualVQ(DIM, STAGES, BITS, beam)
    quantizer.fit(vectors, iterations=2)
    found, expected = quantizer.encode(vectors), residual_codes(quantizer, vectors)
    assert (found == expected).all(dim=1).float().mean() > 0.99  # but for rounding
    assert errors(quantizer, found, vectors).mean() == pytest.approx(
        float(errors(quantizer, expected, vectors).mean()), rel=1e-4
    )


def test_additive_vq_finds_less_error_than_the_residual_search_of_faiss(vectors):
    residual = ResidualVQ(DIM, STAGES, BITS, beam=8)
    residual.fit(vectors, iterations=2)
    additive = AdditiveVQ(DIM, STAGES, BITS, beam=8)
    additive.load_state_dict(residual.state_dict())
    theirs = errors(residual, residual_codes(residual, vectors), vectors)
    assert errors(additive, additive.encode(vectors), vectors).mean() < theirs.mean()


def test_product_vq_finds_what_faiss_finds(vectors):
    quantizer = ProductVQ(DIM, STAGES, BITS)
    quantizer.fit(vectors, iterations=2)
    peer = faiss.ProductQuantizer(DIM, STAGES, BITS)
    faiss.copy_array_to_vector(quantizer.codebooks.detach().numpy().ravel(), peer.centroids)
    expected = torch.from_numpy(peer.compute_codes(vectors.numpy()).astype(np.int64))
    assert (quantizer.encode(vectors) == expected).all(dim=1).float().mean() > 0.99


def trained_errors(quantizer: Quantizer, peer: faiss.Quantizer, vectors: torch.Tensor) -> tuple[float, float]:
    """Mean errors, ours and theirs, of codebooks that everyone trained."""
    quantizer.fit(vectors)
    peer.train(vectors.numpy())
    theirs = torch.from_numpy(peer.decode(peer.compute_codes(vectors.numpy())))
    ours = errors(quantizer, quantizer.encode(vectors), vectors)
    return float(ours.mean()), float((vectors - theirs).square().sum(1).mean())


@pytest.mark.slow
def test_residual_training_leaves_less_error_than_that_of_faiss(vectors):
    peer = faiss.ResidualQuantizer(DIM, STAGES, 4)
    peer.max_beam_size = 5
    ours, theirs = trained_errors(ResidualVQ(DIM, STAGES, 4, beam=5), peer, vectors)
    assert ours < 0.97 * theirs


@pytest.mark.slow
def test_additive_training_leaves_no_more_error_than_local_search_quantization_of_faiss(vectors):
    peer = faiss.LocalSearchQuantizer(DIM, STAGES, 4)
    ours, theirs = trained_errors(AdditiveVQ(DIM, STAGES, 4, beam=8), peer, vectors)
    assert ours < theirs


@pytest.mark.slow
def test_product_training_leaves_no_more_error_than_that_of_faiss(vectors):
    ours, theirs = trained_errors(ProductVQ(DIM, STAGES, 4), faiss.ProductQuantizer(DIM, STAGES, 4), vectors)
    assert ours < 1.01 * theirs
