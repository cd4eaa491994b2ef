"""The product of residual VQs against product VQ, residual VQ, brute force and faiss."""

from itertools import product

import faiss
import numpy as np
import pytest
import torch

from vqvae.quantizers import (
    NSVQ,
    DiVeQ,
    MovingAverage,
    ProductResidualVQ,
    ProductVQ,
    ResidualVQ,
    StraightThrough,
    dispatch,
)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(500, 8) @ torch.randn(8, 8)


def fitted(quantizer, vectors):
    torch.manual_seed(3)
    quantizer.fit(vectors, iterations=4)
    return quantizer


@pytest.mark.parametrize("costs", [None, 5 * torch.rand(4, 16)], ids=["nearest", "by costs"])
def test_one_stage_is_product_vq(vectors, costs, path):
    ours, theirs = (
        fitted(q, vectors) for q in (ProductResidualVQ(8, pieces=4, stages=1, codebook_bits=4), ProductVQ(8, 4, 4))
    )
    assert torch.equal(ours.codebooks, theirs.codebooks)
    indices = ours.encode(vectors, costs)
    assert torch.equal(indices, theirs.encode(vectors, costs))
    assert torch.equal(ours.decode(indices), theirs.decode(indices))


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("costs", [None, 5 * torch.rand(3, 16)], ids=["nearest", "by costs"])
def test_one_piece_is_residual_vq(vectors, beam, costs, path):
    ours, theirs = (
        fitted(q, vectors)
        for q in (ProductResidualVQ(8, 1, 3, 4, beam=beam), ResidualVQ(8, stages=3, codebook_bits=4, beam=beam))
    )
    assert torch.equal(ours.codebooks, theirs.codebooks)
    indices = ours.encode(vectors, costs)
    assert torch.equal(indices, theirs.encode(vectors, costs))
    assert torch.equal(ours.decode(indices), theirs.decode(indices))
    assert torch.equal(ours.encode(vectors, stages=2), theirs.encode(vectors, stages=2))


def test_values_are_sums_of_codewords_of_each_piece_and_indices_are_ordered_by_stage():
    quantizer = ProductResidualVQ(6, pieces=3, stages=2, codebook_size=5)
    indices = torch.randint(5, (20, 6))
    expected = [quantizer.codebooks[p, indices[:, p]] + quantizer.codebooks[3 + p, indices[:, 3 + p]] for p in range(3)]
    torch.testing.assert_close(quantizer.decode(indices), torch.cat(expected, 1))
    first = [quantizer.codebooks[p, indices[:, p]] for p in range(3)]
    torch.testing.assert_close(quantizer.decode(indices[:, :3]), torch.cat(first, 1))
    with pytest.raises(ValueError, match="4 columns, but ProductResidualVQ decodes: 3, 6"):
        quantizer.decode(indices[:, :4])


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_beam_that_keeps_everything_finds_the_least_distance_plus_costs(stages, path):
    """Over all 4^6 combinations of indices of two pieces."""
    quantizer = ProductResidualVQ(4, pieces=2, stages=3, codebook_bits=2, beam=64)
    vectors, costs = torch.randn(30, 4), torch.rand(6, 4)
    number = 2 * stages
    every = torch.tensor(list(product(range(4), repeat=number)))
    totals = torch.cdist(vectors.double(), quantizer.decode(every).double()).square()
    totals += costs[:number].gather(1, every.T).sum(0)
    found = quantizer.encode(vectors, costs, stages=stages)
    reached = (vectors - quantizer.decode(found)).square().sum(1) + costs[:number].gather(1, found.T).sum(0)
    torch.testing.assert_close(reached, totals.min(1).values.float())


def test_both_paths_find_the_same_indices(monkeypatch):
    quantizer = ProductResidualVQ(16, pieces=4, stages=3, codebook_size=200, beam=8)
    vectors, costs = torch.randn(200, 16), 0.1 * torch.rand(12, 200)
    compiled = quantizer.encode(vectors), quantizer.encode(vectors, costs)
    monkeypatch.setattr(dispatch, "_load", lambda: None)
    assert torch.equal(compiled[0], quantizer.encode(vectors))
    assert torch.equal(compiled[1], quantizer.encode(vectors, costs))


def test_it_finds_what_faiss_finds_with_the_same_codebooks(vectors):
    ours = fitted(ProductResidualVQ(8, pieces=2, stages=2, codebook_bits=8, beam=5), vectors)
    theirs = faiss.ProductResidualQuantizer(8, 2, 2, 8)
    for piece in range(2):
        part = faiss.downcast_AdditiveQuantizer(theirs.subquantizer(piece))
        part.max_beam_size = 5
        faiss.copy_array_to_vector(ours.codebooks[piece::2].detach().numpy().ravel(), part.codebooks)
        part.is_trained = True
    theirs.is_trained = True
    codes = torch.from_numpy(theirs.compute_codes(vectors.numpy()).astype(np.int64))
    found = ours.encode(vectors)[:, [0, 2, 1, 3]]  # theirs are ordered by piece
    assert (found == codes).all(1).float().mean() > 0.99


def test_fitting_by_costs_lowers_distance_plus_bits(vectors):
    lmbda = 2.0

    def cost(quantizer: ProductResidualVQ) -> float:
        """Distance + λ · entropy, of indices chosen by the entropy of their own histogram."""
        costs = torch.zeros(4, 16)
        for _ in range(10):
            indices = quantizer.encode(vectors, costs)
            counts = torch.stack([torch.bincount(column, minlength=16) for column in indices.T]) + 0.1
            costs = lmbda * (counts.sum(1, keepdim=True) / counts).log2()
        distances = (vectors - quantizer.decode(indices)).square().sum(1)
        return float((distances + costs.gather(1, indices.T).sum(0)).mean())

    plain, weighed = ProductResidualVQ(8, 2, 2, 4), ProductResidualVQ(8, 2, 2, 4)
    plain.fit(vectors, 10)
    weighed.fit(vectors, 10, lmbda=lmbda)
    assert cost(weighed) < 0.97 * cost(plain)


@pytest.mark.parametrize("estimator", [NSVQ, DiVeQ, StraightThrough, MovingAverage])
def test_training_by_the_first_stages_leaves_the_others_alone(vectors, estimator):
    quantizer = fitted(ProductResidualVQ(8, pieces=2, stages=3, codebook_bits=4), vectors)
    quantizer.set_estimator(estimator())
    before = quantizer.codebooks.detach().clone()
    quantized = quantizer.train()(vectors + 1, stages=2)
    assert quantized.indices.shape == (500, 4)
    if quantizer.codebooks.requires_grad:
        (quantized.values.square().mean() + quantized.loss).backward()
        torch.optim.SGD([quantizer.codebooks], lr=1.0).step()
    moved = (quantizer.codebooks != before).flatten(1).any(1)
    assert moved.tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("argument", ["pieces", "stages", "beam"])
def test_numbers_below_one_are_refused(argument):
    arguments = {"dim": 8, "pieces": 2, "stages": 2, "codebook_bits": 3, "beam": 2} | {argument: 0}
    with pytest.raises(ValueError, match=f"{argument} is 0"):
        ProductResidualVQ(**arguments)
