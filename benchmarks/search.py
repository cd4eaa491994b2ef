"""Exhaustive search against faiss, in one process: python -m benchmarks.search [--data FOLDER] [--json FILE].

The set is one of TEXMEX, such as SIFT1M. Both search the same codes with the same codebooks, which are trained only a
little, as the times do not depend on them. Needs the extra `faiss`: pip install 'vqkit[faiss]'.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.progress import track

from vqvae.cli.tables import print_table
from vqvae.data.texmex import VectorSet, open_set
from vqvae.errors import VqvaeError
from vqvae.quantizers import AdditiveVQ, ProductVQ, Quantizer, ResidualVQ
from vqvae.search import Index

try:
    import faiss

    from vqvae.search.faiss import add_indices, to_faiss
except ImportError:
    raise SystemExit("error: faiss is not installed: pip install 'vqkit[faiss]'") from None

STAGES, BITS = 8, 8
TRAINING_VECTORS, ITERATIONS = 20_000, 5
BASE, QUERIES = 200_000, 500
FOUND = (100, 512)
THREADS = (1, 2)


def seconds(runs: Sequence[Callable[[], Any]], repeats: int) -> list[float]:
    """Median times, all in turn, so that a busy moment of the machine is everyone's."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for run, taken in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return [median(taken) for taken in times]


def trained(dim: int, learn: torch.Tensor) -> dict[str, Quantizer]:
    """A quantiser of each kind; additive VQ with the codebooks of residual VQ."""
    product, residual = ProductVQ(dim, STAGES, BITS), ResidualVQ(dim, STAGES, BITS)
    product.fit(learn, ITERATIONS)
    residual.fit(learn, ITERATIONS)
    additive = AdditiveVQ(dim, STAGES, BITS, beam=1)
    additive.load_state_dict(residual.state_dict())
    return {"product": product, "residual": residual, "additive": additive}


def compare(name: str, quantizer: Quantizer, vectors: VectorSet, repeats: int) -> list[dict[str, Any]]:
    """Times of both for each number of threads and of vectors to find, and how alike what they find is."""
    indices = torch.cat([quantizer.encode(piece.float()) for piece in vectors.base[:BASE].split(2**15)])
    queries = vectors.queries[:QUERIES].float()
    ours, theirs = Index(quantizer), to_faiss(quantizer)
    ours.add_indices(indices)
    add_indices(theirs, indices)
    rows = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        faiss.omp_set_num_threads(threads)
        for k in FOUND:
            runs = partial(ours.search, queries, k), partial(theirs.search, queries.numpy(), k)
            (distances, ids), (expected, expected_ids) = (run() for run in runs)  # the first call compiles
            own, other = seconds(runs, repeats)
            rows.append(
                {
                    "quantiser": name,
                    "threads": threads,
                    "k": k,
                    "ours, s": own,
                    "faiss, s": other,
                    "ours/faiss": own / other,
                    "same id at the same rank": float((ids.numpy() == expected_ids).mean()),
                    "largest difference": float(np.abs(distances.numpy() - expected).max()),
                    "mean distance": float(distances.mean()),
                }
            )
    return rows


def main() -> None:
    """Measures, prints, and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/sift-photo"), help="the folder of a set of TEXMEX")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--about", default="", help="the machine, in words, for the file")
    arguments = parser.parse_args()
    try:
        vectors = open_set(arguments.data)
    except VqvaeError as error:
        raise SystemExit(f"error: {error}") from None
    torch.manual_seed(0)
    rows: list[dict[str, Any]] = []
    for name, quantizer in track(trained(vectors.base.shape[1], vectors.learn[:TRAINING_VECTORS].float()).items()):
        rows += compare(name, quantizer, vectors, arguments.repeats)
    print_table(
        list(rows[0]),
        [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows],
    )
    if arguments.json:
        sizes = (
            f"{len(vectors.base[:BASE])} vectors and {len(vectors.queries[:QUERIES])} queries of {arguments.data.name}"
        )
        versions = f"torch {torch.__version__}, faiss {faiss.__version__}, Python {platform.python_version()}"
        about = f"{sizes}, {STAGES} codebooks of {2**BITS}, {versions}. {arguments.about}".strip()
        arguments.json.write_text(json.dumps({"about": about, "search": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
