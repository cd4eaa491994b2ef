import pytest
import torch

from vqvae.evaluation.recall import RANKS, recall


def test_recall_is_the_share_of_queries_whose_nearest_neighbour_is_found_by_then():
    found = torch.tensor([[5, 1, 2, 3], [1, 5, 2, 3], [1, 2, 3, 5], [1, 2, 3, 4]])
    neighbours = torch.tensor([[5, 1], [5, 1], [5, 1], [5, 1]], dtype=torch.int32)
    assert [recall(found, neighbours, rank) for rank in (1, 2, 3, 4)] == [0.25, 0.5, 0.5, 0.75]


def test_it_is_what_a_loop_counts():
    found = torch.stack([torch.randperm(600)[:512] for _ in range(50)])
    neighbours = torch.randint(600, (50, 3))
    for rank in RANKS:
        hits = sum(int(neighbours[query, 0]) in found[query, :rank].tolist() for query in range(50))
        assert recall(found, neighbours, rank) == pytest.approx(hits / 50)


def test_more_than_were_looked_for_is_refused():
    with pytest.raises(ValueError, match=r"rank is 3.* the 2 "):
        recall(torch.zeros(1, 2, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.int64), 3)
