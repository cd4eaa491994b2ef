"""The update of all codebooks at once against a dense solver, and what it is worth in training."""

import torch
import torch.nn.functional as F

from vqvae.quantizers import AdditiveVQ, ResidualVQ
from vqvae.quantizers.least_squares import solve_codebooks


def error(vectors: torch.Tensor, codebooks: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    values = sum(codebook[index] for codebook, index in zip(codebooks, indices.T, strict=True))
    return (vectors - values).square().sum()


def test_the_codebooks_are_the_least_squares_solution():
    vectors, indices = torch.randn(400, 6), torch.randint(8, (400, 3))
    found = solve_codebooks(vectors, indices, torch.zeros(3, 8, 6), steps=30)
    matrix = F.one_hot(indices, 8).flatten(1).double()
    dense = torch.linalg.lstsq(matrix, vectors.double(), driver="gelsd").solution.view(3, 8, 6).float()
    torch.testing.assert_close(error(vectors, found, indices), error(vectors, dense, indices))


def test_a_few_steps_from_nearby_are_enough():
    vectors = torch.randn(2000, 8) @ torch.randn(8, 8)
    quantizer = ResidualVQ(8, 3, 4, beam=4)
    quantizer.fit(vectors)
    indices = quantizer.encode(vectors)
    few = solve_codebooks(vectors, indices, quantizer.codebooks.detach())
    many = solve_codebooks(vectors, indices, quantizer.codebooks.detach(), steps=100)
    assert error(vectors, few, indices) < 1.0001 * error(vectors, many, indices)


def test_codewords_that_no_vector_uses_stay():
    start = torch.randn(2, 4, 5)
    found = solve_codebooks(torch.randn(30, 5), torch.randint(3, (30, 2)), start)
    assert torch.equal(found[:, 3], start[:, 3])
    assert (found[:, :3] != start[:, :3]).all()


def test_vectors_that_are_met_exactly_change_nothing():
    start = torch.randn(2, 4, 5)
    indices = torch.randint(4, (30, 2))
    vectors = start[0, indices[:, 0]] + start[1, indices[:, 1]]
    torch.testing.assert_close(solve_codebooks(vectors, indices, start), start)


def test_additive_training_goes_below_k_means_stage_by_stage():
    vectors = torch.randn(3000, 16) @ torch.randn(16, 16)
    stage_by_stage, additive = ResidualVQ(16, 4, 4, beam=8), AdditiveVQ(16, 4, 4, beam=8)
    stage_by_stage.fit(vectors)
    additive.fit(vectors)
    before = error(vectors, stage_by_stage.codebooks, stage_by_stage.encode(vectors))
    assert error(vectors, additive.codebooks, additive.encode(vectors)) < 0.97 * before
