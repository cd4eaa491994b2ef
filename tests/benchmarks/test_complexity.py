"""Operation counts against the published ones, and against counts by hand."""

from math import log10

import pytest

from benchmarks.complexity import BITS, METHODS, Operations, count_product, count_residual, measure

# log10 WMOPS of Vali and Bäckström, ICASSP 2023, figure 4c: D = 64, M = 4, beam 16
PUBLISHED = {
    "AVQ": [-0.3103, -0.1753, 0.0106, 0.2401, 0.5004, 0.7796, 1.0692, 1.3645],
    "RVQ": [-2.2892, -2.0101, -1.7205, -1.4253, -1.1272, -0.8276, -0.5273, -0.2267],
    "PVQ": [-2.871, -2.5983, -2.3121, -2.0187, -1.7216, -1.4225, -1.1224, -0.8219],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_counts_come_out_to_four_digits(name):
    counted = [round(log10(METHODS[name].published(64, 4, 2 ** (bits // 4)).wmops), 4) for bits in BITS]
    assert counted == PUBLISHED[name]


@pytest.mark.parametrize("name", ["RVQ", "PVQ"])
def test_the_corrected_count_has_the_stage_that_the_published_one_lacks(name):
    ratio = METHODS[name].corrected(64, 4, 1024).wmops / METHODS[name].published(64, 4, 1024).wmops
    assert ratio == pytest.approx(4 / 3, rel=1e-3)


def test_one_stage_of_two_codewords_in_two_dimensions_by_hand():
    """Two distances of 3 additions and 2 multiplications, 1 comparison, 2 + 1 moves, and the value's 2 additions."""
    assert count_residual(2, 1, 2) == Operations(additions=6 + 1 + 2, multiplications=4, moves=1 + 2)


def test_product_vq_with_one_part_differs_from_residual_vq_in_its_moves_alone():
    product, residual = count_product(8, 1, 16), count_residual(8, 1, 16)
    assert product.multiplications == residual.multiplications
    assert product.additions == residual.additions - 8


def test_branches_weigh_four():
    assert Operations(additions=1, multiplications=2, moves=3, branches=4).wmops == pytest.approx(22e-6)


def test_every_method_is_timed_at_every_size():
    rows = measure(dim=8, vectors=50, bits=[8, 12])
    assert [(row.method, row.bits) for row in rows] == [(name, bits) for name in METHODS for bits in (8, 12)]
    assert all(row.microseconds > 0 for row in rows)
