"""Tiles of a grid, with the margins that must be known to compute them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

Region = tuple[slice, slice]


class Tile(NamedTuple):
    """A part of a grid: rows and columns.

    Attributes:
        inner: what the tile is for; all tiles together cover the grid once.
        outer: what must be known to compute it: the inner part and a margin, cut off at the border of the grid.
    """

    inner: Region
    outer: Region

    @property
    def inside(self) -> Region:
        """Where the inner part lies in the outer one."""
        rows, columns = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(*self, strict=True))
        return rows, columns


def tiles(height: int, width: int, most: int, margin: int, alignment: int = 1) -> Iterator[Tile]:
    """Tiles of nearly equal size, row by row.

    Args:
        height: of the grid.
        width: of the grid.
        most: largest height and width of a tile, without its margin.
        margin: rows and columns around it that it depends on.
        alignment: inner and outer parts begin at multiples of it.
    """
    margin = -(-margin // alignment) * alignment
    for rows in _cut(height, most, alignment):
        for columns in _cut(width, most, alignment):
            outer = tuple(
                slice(max(0, inner.start - margin), min(length, inner.stop + margin))
                for inner, length in ((rows, height), (columns, width))
            )
            yield Tile((rows, columns), (outer[0], outer[1]))


def scaled(region: Region, factor: int) -> Region:
    """The pixels of a region of vectors, with `factor` pixels per vector in each direction."""
    rows, columns = (slice(part.start * factor, part.stop * factor) for part in region)
    return rows, columns


def _cut(length: int, most: int, alignment: int) -> list[slice]:
    number = -(-length // most)
    edges = [length * part // number // alignment * alignment for part in range(number)]
    return [slice(*pair) for pair in pairwise([*edges, length]) if pair[0] < pair[1]]
