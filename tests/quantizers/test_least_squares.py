"""The update of all codebooks at once against a dense solver, and what it is worth in training."""

import pytest
import torch
import torch.nn.functional as F

from vqvae.quantizers import AdditiveVQ, ResidualVQ
from vqvae.quantizers.kmeans import kmeans
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


def test_a_ridge_counts_like_vectors_at_the_mean_of_each_codebook():
    vectors, indices, start = torch.randn(400, 6), torch.randint(8, (400, 3)), torch.randn(3, 8, 6)
    found = solve_codebooks(vectors, indices, start, ridge=5.0, steps=30)
    matrix = torch.cat([F.one_hot(indices, 8).flatten(1), 5**0.5 * torch.eye(24)])
    mean = start.mean(1, keepdim=True).expand(-1, 8, -1).flatten(0, 1)
    dense = torch.linalg.lstsq(matrix, torch.cat([vectors, 5**0.5 * mean])).solution
    torch.testing.assert_close(found.flatten(0, 1), dense, rtol=1e-3, atol=1e-3)


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


def stage_by_stage(vectors: torch.Tensor, stages: int, size: int) -> torch.Tensor:
    """Codebooks of the textbook's residual VQ: k-means on the remainders of the greedy search."""
    codebooks = []
    for _ in range(stages):
        codebooks.append(kmeans(vectors, size, iterations=25))
        vectors = vectors - codebooks[-1][torch.cdist(vectors, codebooks[-1]).argmin(1)]
    return torch.stack(codebooks)


@pytest.mark.parametrize("method", [ResidualVQ, AdditiveVQ])
def test_training_all_codebooks_together_goes_below_k_means_stage_by_stage(method):
    vectors = torch.randn(3000, 16) @ torch.randn(16, 16)
    quantizer = method(16, 4, 4, beam=8)
    quantizer.codebooks.data.copy_(stage_by_stage(vectors, 4, 16))
    before = error(vectors, quantizer.codebooks, quantizer.encode(vectors))
    quantizer.fit(vectors)
    assert error(vectors, quantizer.codebooks, quantizer.encode(vectors)) < 0.97 * before


def test_prefixes_of_residual_vq_lose_little_by_training_all_codebooks_together():
    vectors = torch.randn(3000, 16) @ torch.randn(16, 16)
    quantizer, textbook = ResidualVQ(16, 4, 4, beam=8), ResidualVQ(16, 4, 4, beam=8)
    quantizer.fit(vectors)
    textbook.codebooks.data.copy_(stage_by_stage(vectors, 4, 16))
    found, expected = quantizer.encode(vectors), textbook.encode(vectors)
    for stages in range(1, 5):
        limit = 1.15 * error(vectors, textbook.codebooks[:stages], expected[:, :stages])
        assert error(vectors, quantizer.codebooks[:stages], found[:, :stages]) < limit
