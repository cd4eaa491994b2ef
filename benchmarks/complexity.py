"""How many operations a search takes: python -m benchmarks.complexity.

Counted are the additions, multiplications, moves and branches for one vector, weighted as in ITU-T G.191 (1, 1, 1 and 4
in single precision) and given in millions: WMOPS for one vector a second. The published counts (Vali and Bäckström,
ICASSP 2023, figure 4c, by the authors' script) leave out one of the M stages of residual and product VQ; `corrected`
counts all of them; VQ is residual VQ with one stage. Both follow the textbook searches, which measure every distance
in all dimensions; what ours take is measured beside them.
"""

import argparse
import json
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from math import comb, log10
from pathlib import Path
from typing import NamedTuple

import torch

from vqvae.quantizers import AdditiveVQ, ProductVQ, Quantizer, ResidualVQ

MILLION = 1e6
BRANCH_WEIGHT = 4
BITS = range(12, 41, 4)  # of all four indices together
BEAM = 16


class Operations(NamedTuple):
    """A number of basic operations."""

    additions: int = 0
    multiplications: int = 0
    moves: int = 0
    branches: int = 0

    def __add__(self, other: tuple[int, ...]) -> "Operations":  # type: ignore[override]
        return Operations(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def __mul__(self, times: int) -> "Operations":  # type: ignore[override]
        return Operations(*(times * mine for mine in self))

    @property
    def wmops(self) -> float:
        """Weighted millions of operations."""
        return (self.additions + self.multiplications + self.moves + BRANCH_WEIGHT * self.branches) / MILLION


def distances(codewords: int, dim: int) -> Operations:
    """Squared distances to so many codewords: a subtraction, a square and a sum in each dimension."""
    return Operations(additions=codewords * (2 * dim - 1), multiplications=codewords * dim)


def least(candidates: int) -> Operations:
    """The least of some numbers: a comparison, counted as an addition, and a move for each but the first."""
    return Operations(additions=candidates - 1, moves=candidates - 1)


def least_few(candidates: int, beam: int) -> Operations:
    """The `beam` least of some numbers, one after another."""
    return sum((least(candidates - found) for found in range(beam)), Operations())


def count_residual(dim: int, stages: int, size: int) -> Operations:
    """The greedy search of residual VQ: nearest codeword, remainder, and so on, then the sum of all codewords."""
    stage = distances(size, dim) + least(size) + Operations(moves=dim)
    remainders, values = Operations(additions=(stages - 1) * dim), Operations(additions=stages * dim)
    return stage * stages + remainders + values


def count_product(dim: int, stages: int, size: int, counted: int | None = None) -> Operations:
    """The search of product VQ: vectors taken apart, the nearest codeword of each part, values put together.

    `counted` is the number of stages that are searched, all unless it is given.
    """
    part = dim // stages
    stage = distances(size, part) + least(size) + Operations(moves=part)
    return Operations(moves=dim) + stage * (counted or stages) + Operations(moves=dim)


def count_additive(dim: int, stages: int, size: int, beam: int) -> Operations:
    """The beam search of additive VQ: each step finds the `beam` best ways on from each of `beam` partial sums."""
    total = distances(stages * size, dim) + least_few(stages * size, beam) + Operations(moves=beam)
    for step in range(1, stages):
        ahead = (stages - step) * size
        sums = Operations(additions=step * beam * dim, moves=step * beam * dim, branches=comb(stages, step) - 1)
        search = (distances(ahead, dim) + least_few(ahead, beam)) * beam
        candidates = Operations(additions=beam**2 * step * dim, moves=beam**2 * (1 + dim))
        errors = Operations(additions=beam**2 * (2 * dim - 1), multiplications=beam**2 * (dim + 1))
        last = step == stages - 1
        choice = least(beam**2) if last else least_few(beam**2, beam) + Operations(moves=beam)
        total = total + sums + search + candidates + errors + choice
    return total


class Method(NamedTuple):
    """A quantiser, and the operations of its search, all for (dim, stages, codebook size).

    Attributes:
        build: makes the quantiser; its last argument is log2 of the codebook size.
        published: the count as published.
        corrected: the count of all stages.
    """

    build: Callable[[int, int, int], Quantizer]
    published: Callable[[int, int, int], Operations]
    corrected: Callable[[int, int, int], Operations]


METHODS = {
    "RVQ": Method(
        ResidualVQ,
        lambda dim, stages, size: count_residual(dim, stages - 1, size),
        count_residual,
    ),
    "PVQ": Method(
        ProductVQ,
        lambda dim, stages, size: count_product(dim, stages, size, counted=stages - 1),
        count_product,
    ),
    "AVQ": Method(
        partial(AdditiveVQ, beam=BEAM), partial(count_additive, beam=BEAM), partial(count_additive, beam=BEAM)
    ),
}


class Complexity(NamedTuple):
    """The cost of quantising one vector: WMOPS as published and corrected, and microseconds as measured."""

    method: str
    bits: int
    published: float
    corrected: float
    microseconds: float


def measure(dim: int = 64, stages: int = 4, vectors: int = 4096, bits: Sequence[int] = BITS) -> list[Complexity]:
    """Counts and times every method, by default at the paper's sizes.

    Args:
        dim: dimension of the vectors.
        stages: number of codebooks.
        vectors: how many are quantised at once for the time, which is that of one of them.
        bits: of all indices of a vector together.
    """
    x = torch.randn(vectors, dim)
    rows = []
    for name, method in METHODS.items():
        for total in bits:
            size = 2 ** (total // stages)
            quantizer = method.build(dim, stages, total // stages)
            seconds = min(timeit.repeat(partial(quantizer.encode, x), number=1, repeat=3))
            published, corrected = (count(dim, stages, size).wmops for count in method[1:])
            rows.append(Complexity(name, total, published, corrected, MILLION * seconds / vectors))
    return rows


def main() -> None:
    """Prints the table, and writes it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    output = parser.parse_args().json
    rows = measure()
    print("method  bits  log10 WMOPS: published  corrected   µs a vector, measured")
    for row in rows:
        published, corrected = log10(row.published), log10(row.corrected)
        print(f"{row.method:6} {row.bits:5} {published:23.4f} {corrected:10.4f} {row.microseconds:23.2f}")
    if output:
        output.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
