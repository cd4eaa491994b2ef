"""k-means against closed forms."""

import torch

from vqvae.quantizers.kmeans import kmeans


def test_kmeans_finds_well_separated_clusters():
    centres = 100 * torch.eye(6)
    points = (centres.unsqueeze(1) + torch.randn(6, 50, 6)).flatten(0, 1)
    found = kmeans(points, 6, iterations=20)
    assert torch.cdist(centres, found).min(1).values.max() < 1


def test_kmeans_codewords_are_the_means_of_their_vectors():
    points = torch.randn(500, 3)
    found = kmeans(points, 8, iterations=100)
    nearest = torch.cdist(points, found).argmin(1)
    means = torch.stack([points[nearest == index].mean(0) for index in range(8)])
    torch.testing.assert_close(found, means)


def test_kmeans_leaves_no_codeword_without_vectors():
    points = torch.cat([torch.zeros(990, 2), torch.randn(10, 2) + 50])
    found = kmeans(points, 6, iterations=20)
    nearest = torch.cdist(points.unique(dim=0), found).argmin(1)
    assert len(nearest.unique()) == 6


def test_kmeans_is_as_good_far_from_zero():
    points = torch.randn(500, 3)
    torch.manual_seed(1)
    near = kmeans(points, 8, iterations=10)
    torch.manual_seed(1)
    torch.testing.assert_close(kmeans(points + 1000, 8, iterations=10) - 1000, near, atol=1e-3, rtol=0)


def test_kmeans_of_fewer_vectors_than_codewords_has_different_codewords():
    assert len(kmeans(torch.randn(3, 4), 8, iterations=0).unique(dim=0)) == 8
