"""Quantisers against faiss and vector-quantize-pytorch, in one process: python -m benchmarks.quantizers [--json FILE].

Search: the time for all vectors and the mean squared error, everyone with the same vectors and the same codebooks.
Training: the error on vectors that were not trained on, and the time, of everyone's own codebooks.
Needs the extra `bench`: pip install 'vqkit[bench]'.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from vqvae.quantizers import AdditiveVQ, ProductResidualVQ, ProductVQ, Quantizer, ResidualVQ

try:
    import faiss
    from vector_quantize_pytorch import ResidualVQ as LucidrainsResidualVQ
except ImportError as error:
    raise SystemExit(f"error: {error.name} is not installed: pip install 'vqkit[bench]'") from None

VECTORS, DIM, STAGES = 4096, 64, 4
PIECES, PIECE_STAGES = 4, 2  # of the product of residual VQs
TRAINING_VECTORS = 16384
SIZES = {16: 4, 256: 8, 1024: 10}


def mean_error(x: torch.Tensor, values: torch.Tensor) -> float:
    """Mean squared distance."""
    return float((x - values).square().sum(1).mean())


class Ours:
    """One of our quantisers."""

    def __init__(self, quantizer: Quantizer, codebooks: torch.Tensor):
        quantizer.codebooks.data.copy_(codebooks)
        self.quantizer = quantizer

    def search(self, x: torch.Tensor) -> torch.Tensor:
        return self.quantizer.encode(x)

    @torch.no_grad()
    def error(self, x: torch.Tensor) -> float:
        return mean_error(x, self.quantizer.decode(self.search(x)))


class FaissResidual:
    """faiss.ResidualQuantizer, with its distances from scratch or from tables of inner products."""

    def __init__(self, codebooks: torch.Tensor, bits: int, beam: int, tables: bool):
        self.quantizer = faiss.ResidualQuantizer(DIM, STAGES, bits)
        self.quantizer.max_beam_size = beam
        faiss.copy_array_to_vector(codebooks.numpy().ravel(), self.quantizer.codebooks)
        self.quantizer.is_trained = True
        self.quantizer.compute_codebook_tables()
        self.quantizer.use_beam_LUT = int(tables)

    def search(self, x: torch.Tensor) -> np.ndarray:
        return self.quantizer.compute_codes(x.numpy())

    def error(self, x: torch.Tensor) -> float:
        return mean_error(x, torch.from_numpy(self.quantizer.decode(self.search(x))))


class FaissProduct(FaissResidual):
    """faiss.ProductQuantizer."""

    def __init__(self, codebooks: torch.Tensor, bits: int):
        self.quantizer = faiss.ProductQuantizer(DIM, STAGES, bits)
        faiss.copy_array_to_vector(codebooks.contiguous().numpy().ravel(), self.quantizer.centroids)


class FaissProductResidual(FaissResidual):
    """faiss.ProductResidualQuantizer; its codebooks are ordered by piece, ours by stage."""

    def __init__(self, codebooks: torch.Tensor, bits: int, beam: int, tables: bool):
        self.quantizer = faiss.ProductResidualQuantizer(DIM, PIECES, PIECE_STAGES, bits)
        by_piece = torch.cat([codebooks[piece::PIECES] for piece in range(PIECES)])
        faiss.copy_array_to_vector(by_piece.numpy().ravel(), self.quantizer.codebooks)
        for piece in range(PIECES):
            part = faiss.downcast_AdditiveQuantizer(self.quantizer.subquantizer(piece))
            part.max_beam_size = beam
            faiss.copy_array_to_vector(codebooks[piece::PIECES].numpy().ravel(), part.codebooks)
            part.is_trained = True
            part.compute_codebook_tables()
            part.use_beam_LUT = int(tables)
        self.quantizer.is_trained = True


class Lucidrains:
    """ResidualVQ of vector-quantize-pytorch."""

    def __init__(self, codebooks: torch.Tensor, beam: int):
        size = codebooks.shape[1]
        self.quantizer = LucidrainsResidualVQ(
            dim=DIM, num_quantizers=STAGES, codebook_size=size, beam_size=beam if beam > 1 else None
        ).eval()
        for layer, codebook in zip(self.quantizer.layers, codebooks, strict=True):
            layer._codebook.embed.data.copy_(codebook)

    @torch.no_grad()
    def search(self, x: torch.Tensor) -> torch.Tensor:
        return self.quantizer(x.unsqueeze(0))[0]

    def error(self, x: torch.Tensor) -> float:
        return mean_error(x, self.search(x)[0])


def milliseconds(runs: list[Callable[[], Any]]) -> list[float]:
    """Median times, in turn: a few runs of each in a row, so that no one's idle threads disturb the next."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(3):
        for run, taken in zip(runs, times, strict=True):
            run()
            for _ in range(5):
                start = time.perf_counter()
                run()
                taken.append(1000 * (time.perf_counter() - start))
                if taken[-1] > 2000:  # long enough to be sure
                    break
    return [median(taken) for taken in times]


def compare_searches(x: torch.Tensor, train: torch.Tensor, size: int, bits: int) -> list[dict[str, Any]]:
    """Times and errors of everyone who can do each of the searches."""
    residual, product = ResidualVQ(DIM, STAGES, bits), ProductVQ(DIM, STAGES, bits)
    both = ProductResidualVQ(DIM, PIECES, PIECE_STAGES, bits, beam=8)
    for quantizer in (residual, product, both):
        quantizer.fit(train, iterations=5)
    summed, parts, stacked = (quantizer.codebooks.detach() for quantizer in (residual, product, both))
    with_beam = {
        "faiss": FaissResidual(summed, bits, 8, tables=False),
        "faiss, tables": FaissResidual(summed, bits, 8, tables=True),
    }
    contests: dict[str, dict[str, Any]] = {
        "residual, greedy": {
            "ours": Ours(residual, summed),
            "faiss": FaissResidual(summed, bits, 1, tables=False),
            "vector-quantize-pytorch": Lucidrains(summed, 1),
        },
        "residual, beam 8": {
            "ours": Ours(ResidualVQ(DIM, STAGES, bits, beam=8), summed),
            **with_beam,
            "vector-quantize-pytorch": Lucidrains(summed, 8),
        },
        "product": {"ours": Ours(product, parts), "faiss": FaissProduct(parts, bits)},
        f"product of {PIECES} residual of {PIECE_STAGES}, beam 8": {
            "ours": Ours(both, stacked),
            "faiss": FaissProductResidual(stacked, bits, 8, tables=False),
            "faiss, tables": FaissProductResidual(stacked, bits, 8, tables=True),
        },
        "additive, beam 8": {"ours": Ours(AdditiveVQ(DIM, STAGES, bits, beam=8), summed), **with_beam},
    }
    rows = []
    for search, rivals in contests.items():
        times = milliseconds([lambda rival=rival: rival.search(x) for rival in rivals.values()])  # type: ignore[misc]
        for (name, rival), taken in zip(rivals.items(), times, strict=True):
            error = rival.error(x)
            rows.append(
                {"search": search, "K": size, "who": name, "ms": taken, "ours/theirs": times[0] / taken, "error": error}
            )
    return rows


def compare_training(x: torch.Tensor, train: torch.Tensor, bits: int) -> list[dict[str, Any]]:
    """Errors of codebooks that everyone trained on the same vectors."""
    residual_8 = ResidualVQ(DIM, STAGES, bits, beam=8)
    additive = AdditiveVQ(DIM, STAGES, bits, beam=8)
    product = ProductVQ(DIM, STAGES, bits)
    both = ProductResidualVQ(DIM, PIECES, PIECE_STAGES, bits, beam=8)
    long = AdditiveVQ(DIM, STAGES, bits, beam=8, refinements=4)
    faiss_residual = faiss.ResidualQuantizer(DIM, STAGES, bits)
    faiss_residual.max_beam_size = 8
    faiss_both = faiss.ProductResidualQuantizer(DIM, PIECES, PIECE_STAGES, bits)
    for piece in range(PIECES):
        faiss.downcast_AdditiveQuantizer(faiss_both.subquantizer(piece)).max_beam_size = 8
    faiss_product, faiss_local = (
        faiss.ProductQuantizer(DIM, STAGES, bits),
        faiss.LocalSearchQuantizer(DIM, STAGES, bits),
    )

    def decode(quantizer: Any) -> torch.Tensor:
        if isinstance(quantizer, Quantizer):
            return quantizer.decode(quantizer.encode(x)).detach()
        return torch.from_numpy(quantizer.decode(quantizer.compute_codes(x.numpy())))

    trainings: dict[str, tuple[Any, Callable[[], Any]]] = {
        "product, ours": (product, lambda: product.fit(train)),
        "product, faiss": (faiss_product, lambda: faiss_product.train(train.numpy())),
        "residual beam 8, ours": (residual_8, lambda: residual_8.fit(train)),
        "residual beam 8, faiss": (faiss_residual, lambda: faiss_residual.train(train.numpy())),
        f"product of {PIECES} residual of {PIECE_STAGES}, beam 8, ours": (both, lambda: both.fit(train)),
        f"product of {PIECES} residual of {PIECE_STAGES}, beam 8, faiss": (
            faiss_both,
            lambda: faiss_both.train(train.numpy()),
        ),
        "additive beam 8, ours, 25 rounds": (additive, lambda: additive.fit(train)),
        "additive beam 8 and local search, ours, 50 rounds": (long, lambda: long.fit(train, iterations=50)),
        "additive, faiss LocalSearchQuantizer": (faiss_local, lambda: faiss_local.train(train.numpy())),
    }
    rows = []
    for name, (quantizer, run) in trainings.items():
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        rows.append({"training": name, "K": 2**bits, "seconds": seconds, "error": mean_error(x, decode(quantizer))})
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Prints rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)


def main() -> None:
    """Measures, prints, and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--about", default="", help="the machine, in words, for the file")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(torch.get_num_threads())
    torch.manual_seed(0)
    mixing = torch.randn(DIM, DIM) / DIM**0.5
    x, train = torch.randn(VECTORS, DIM) @ mixing, torch.randn(TRAINING_VECTORS, DIM) @ mixing
    searches: list[dict[str, Any]] = []
    for size, bits in SIZES.items():
        rows = compare_searches(x, train, size, bits)
        show(f"{VECTORS} vectors of dimension {DIM}, {STAGES} codebooks of {size}", rows)
        searches += rows
    trainings = compare_training(x, train, SIZES[256])
    show(f"Codebooks of 256 trained on {TRAINING_VECTORS} vectors; error on {VECTORS} others", trainings)
    if arguments.json:
        versions = f"torch {torch.__version__}, faiss {faiss.__version__}, Python {platform.python_version()}"
        about = f"{arguments.about} {torch.get_num_threads()} threads, {versions}.".strip()
        arguments.json.write_text(
            json.dumps({"about": about, "search": searches, "training": trainings}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
