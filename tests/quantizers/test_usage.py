"""Usage and replacement against closed forms."""

import torch

from vqvae.quantizers import count_usage, perplexity, replace_unused, usage


def test_usage_counts_each_codebook_by_itself():
    indices = torch.tensor([[0, 3], [0, 1], [2, 3]])
    assert count_usage(indices, 4).tolist() == [[2, 0, 1, 0], [0, 1, 0, 2]]


def test_perplexity_is_the_number_of_codewords_used_alike():
    counts = torch.tensor([[5, 5, 5, 5], [7, 7, 0, 0], [9, 0, 0, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(perplexity(counts), torch.tensor([4.0, 2.0, 1.0, 1.0]))
    torch.testing.assert_close(usage(counts), torch.tensor([1.0, 0.5, 0.25, 0.0]))


def test_unused_codewords_move_beside_used_ones_but_not_onto_them():
    codebooks = torch.randn(2, 8, 16)
    counts = torch.tensor([[10, 0, 30, 0, 10, 10, 10, 10], [1] * 8])
    mended = codebooks.clone()
    assert replace_unused(mended, counts, threshold=0.1).nonzero().tolist() == [[0, 1], [0, 3]]
    assert torch.equal(mended[1], codebooks[1])
    used = [0, 2, 4, 5, 6, 7]
    assert torch.equal(mended[0, used], codebooks[0, used])
    nearest = torch.cdist(mended[0, [1, 3]], codebooks[0, used]).min(1).values
    assert (nearest > 0).all() and (nearest < 0.2).all()


def test_the_jitter_is_not_lost_in_float32_for_large_or_small_codewords():
    for scale in (1e-6, 1.0, 1e6):
        codebooks = scale * (100 + torch.randn(1, 8, 4))
        replace_unused(codebooks, torch.tensor([[9, 9, 9, 9, 0, 0, 0, 0]]), threshold=0.1)
        assert len(codebooks[0].unique(dim=0)) == 8


def test_a_codebook_with_a_single_used_codeword_comes_apart_again():
    codebooks = torch.ones(1, 4, 3)
    replace_unused(codebooks, torch.tensor([[9, 0, 0, 0]]), threshold=0.1)
    assert len(codebooks[0].unique(dim=0)) == 4


def test_more_frequent_codewords_are_copied_more_often():
    codebooks = torch.randn(1, 1000, 4)
    counts = torch.zeros(1, 1000, dtype=torch.int64)
    counts[0, 0], counts[0, 1] = 900, 100
    replace_unused(codebooks, counts, threshold=0.01)
    to_first = torch.cdist(codebooks[0, 2:], codebooks[0, :2]).argmin(1) == 0
    assert 0.85 < to_first.float().mean() < 0.95
