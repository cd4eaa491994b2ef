"""Tiles of a grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vqvae.codec.tiling import scaled, tiles

SIDES = st.integers(1, 60)


@given(height=SIDES, width=SIDES, most=st.integers(1, 20), margin=st.integers(0, 9))
def test_tiles_cover_a_grid_once_and_none_is_too_large(height, width, most, margin):
    covered = np.zeros((height, width), int)
    for tile in tiles(height, width, most, margin):
        assert max(covered[tile.inner].shape) <= most
        covered[tile.inner] += 1
    assert (covered == 1).all()


@given(height=SIDES, width=SIDES, most=st.integers(1, 20), margin=st.integers(0, 9))
def test_around_each_tile_is_its_margin_up_to_the_border(height, width, most, margin):
    numbers = np.pad(np.arange(height * width).reshape(height, width), margin, constant_values=-1)
    for tile in tiles(height, width, most, margin):
        rows, columns = tile.inner
        around = numbers[rows.start : rows.stop + 2 * margin, columns.start : columns.stop + 2 * margin]
        grid = numbers[margin : margin + height, margin : margin + width]
        assert np.array_equal(np.sort(around[around >= 0]), np.sort(grid[tile.outer], axis=None))
        assert np.array_equal(grid[tile.outer][tile.inside], grid[tile.inner])


def test_a_region_of_vectors_is_a_region_of_pixels():
    assert scaled((slice(1, 3), slice(0, 5)), 4) == (slice(4, 12), slice(0, 20))
