"""Search by tables against comparing with every decoded vector."""

import pytest
import torch

from tests.search.conftest import DIM
from vqvae.quantizers import ProductVQ, Quantizer, ResidualVQ, dispatch
from vqvae.search import Index, SearchResult, plain


def some_indices(quantizer: Quantizer, number: int) -> torch.Tensor:
    return torch.randint(quantizer.codebook_size, (number, quantizer.num_indices))


def brute_force(quantizer: Quantizer, indices: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    values = quantizer.decode(indices).detach().double()
    return (queries.double().unsqueeze(1) - values).square().sum(2)


def check(found: SearchResult, expected: torch.Tensor, **tolerance: float) -> None:
    """The least of all distances, in order, each with an id of its own at that distance."""
    k = found.ids.shape[1]
    torch.testing.assert_close(found.distances.double(), expected.sort(dim=1).values[:, :k], **tolerance)
    torch.testing.assert_close(found.distances.double(), expected.gather(1, found.ids), **tolerance)
    assert all(len(row.unique()) == k for row in found.ids)


@pytest.fixture(params=["compiled", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(dispatch, "_load", lambda: None)
        monkeypatch.setattr(plain, "CHUNK", 300)
    return request.param


@pytest.mark.parametrize(("queries", "k"), [(1, 1), (3, 50), (9, 100), (150, 7)])
def test_the_nearest_of_all_are_found(quantizer, way, queries, k):
    indices, x = some_indices(quantizer, 1000), torch.randn(queries, DIM)
    index = Index(quantizer)
    index.add_indices(indices)
    check(index.search(x, k), brute_force(quantizer, indices, x), rtol=1e-4, atol=1e-5)


def test_where_ties_abound_exactly_the_least_distances_are_found(quantizer, way):
    """Small whole numbers, which float32 adds without rounding."""
    with torch.no_grad():
        quantizer.codebooks.copy_(torch.randint(-1, 2, quantizer.codebooks.shape))
    indices, x = some_indices(quantizer, 1000), torch.randint(-2, 3, (70, DIM))
    index = Index(quantizer)
    index.add_indices(indices)
    check(index.search(x, 200), brute_force(quantizer, indices, x), rtol=0, atol=0)


@pytest.mark.parametrize("order", [-1, 1], ids=["nearest last", "nearest first"])
def test_the_order_in_which_vectors_were_added_does_not_matter(way, order):
    quantizer = ResidualVQ(DIM, 3, 6)
    x = torch.randn(1, DIM)
    indices = some_indices(quantizer, 3000)
    indices = indices[brute_force(quantizer, indices, x)[0].argsort(descending=order < 0)]
    index = Index(quantizer)
    index.add_indices(indices)
    check(index.search(x, 20), brute_force(quantizer, indices, x), rtol=1e-4, atol=1e-5)


def test_numbers_and_threads_of_queries_change_nothing(quantizer):
    index, x = Index(quantizer), torch.randn(200, DIM)
    index.add_indices(some_indices(quantizer, 2000))
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(index.search(x, 10))
    torch.set_num_threads(before)
    results.append(SearchResult(*map(torch.cat, zip(*(index.search(few, 10) for few in x.split(3)), strict=True))))
    for result in results[1:]:
        torch.testing.assert_close(result.distances, results[0].distances)
        assert (result.ids == results[0].ids).float().mean() > 0.99  # but for rounding in the tables


def test_vectors_may_be_added_a_few_at_a_time_and_encoded_or_not(quantizer):
    x, queries = torch.randint(0, 256, (300, DIM), dtype=torch.uint8), torch.randint(0, 256, (20, DIM))
    quantizer.fit(x.float(), iterations=2)
    index, other = Index(quantizer), Index(quantizer)
    index.add(x[:100])
    index.add(x[100:])
    other.add_indices(quantizer.encode(x.float()))
    assert len(index) == len(other) == 300
    assert torch.equal(index.search(queries, 5).ids, other.search(queries, 5).ids)


def test_what_is_not_there_has_no_id_and_is_infinitely_far(quantizer, way):
    index, x = Index(quantizer), torch.randn(7, DIM)
    assert (index.search(x, 3).ids == -1).all()
    index.add_indices(some_indices(quantizer, 2))
    distances, ids = index.search(x, 3)
    assert ids.sort(dim=1).values.tolist() == 7 * [[-1, 0, 1]]
    assert distances[:, :2].isfinite().all() and distances[:, 2].isposinf().all()
    assert index.search(x[:0], 3).ids.shape == (0, 3)


def test_a_query_that_is_not_a_number_finds_nothing_and_disturbs_no_other(quantizer, way):
    index, x = Index(quantizer), torch.randn(6, DIM)
    index.add_indices(some_indices(quantizer, 100))
    broken = x.clone()
    broken[2], broken[4, 0] = torch.nan, torch.inf
    found, expected = index.search(broken, 4), index.search(x, 4)
    assert (found.ids[[2, 4]] == -1).all() and found.distances[[2, 4]].isposinf().all()
    assert torch.equal(found.ids[[0, 1, 3, 5]], expected.ids[[0, 1, 3, 5]])


def test_small_distances_among_long_vectors_stay_exact():
    quantizer = ProductVQ(DIM, 2, 3)
    x = 1000 + torch.randn(8, DIM) / 100
    with torch.no_grad():
        quantizer.codebooks.copy_(x.unflatten(1, (2, -1)).transpose(0, 1))
    indices = torch.arange(8).unsqueeze(1).expand(-1, 2)
    index = Index(quantizer)
    index.add_indices(indices)
    check(index.search(x, 8), brute_force(quantizer, indices, x), rtol=1e-5, atol=1e-8)


def test_codes_take_one_byte_an_index_or_two_and_norms_four_where_values_are_sums(quantizer):
    index = Index(quantizer)
    index.add_indices(some_indices(quantizer, 10))
    assert index.codes.nbytes == 10 * quantizer.num_indices * (1 if quantizer.index_bits <= 8 else 2)
    assert (index.norms is None) == isinstance(quantizer, ProductVQ)
    assert index.norms is None or index.norms.nbytes == 40


def test_what_cannot_be_searched_is_refused_in_one_line():
    index = Index(ProductVQ(16, 4, 3))
    for indices in (torch.full((1, 4), 8), torch.full((1, 4), -1)):
        with pytest.raises(ValueError, match="from 0 to 7"):
            index.add_indices(indices)
    with pytest.raises(ValueError, match=r"2 columns.*4 indices"):
        index.add_indices(torch.zeros(1, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="k is 0"):
        index.search(torch.zeros(1, 16), 0)
    with pytest.raises(ValueError, match="dim=16"):
        index.search(torch.zeros(1, 8), 1)
