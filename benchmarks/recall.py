"""Nearest-neighbour search beside faiss, everyone trained anew: python -m benchmarks.recall --data FOLDER [METHOD ...].

The set is one of TEXMEX, such as SIFT1M; 64 bits a vector, codebooks fitted to the learn vectors, exhaustive search
among the codes of the base. faiss's `LocalSearchQuantizer` is slow: it and its rival, additive VQ, are given the first
50,000 of the learn vectors and of the base. What is in the file already is not measured again. Needs the extra `bench`:
pip install 'vqkit[bench]'.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.report import RESULTS
from vqvae.data.texmex import VectorSet, open_set
from vqvae.errors import VqvaeError
from vqvae.evaluation.recall import RANKS, recall
from vqvae.quantizers import AdditiveVQ, ProductVQ, Quantizer, ResidualVQ
from vqvae.search import Index

try:
    import faiss
except ImportError:
    raise SystemExit("error: faiss is not installed: pip install 'vqkit[bench]'") from None

STAGES, BITS = 8, 8
FEW = 50_000


class Ours:
    """One of our quantisers, and an index of its codes."""

    def __init__(self, make: Callable[..., Quantizer], dim: int):
        self.quantizer = make(dim, STAGES, BITS)
        self.index = Index(self.quantizer)

    def train(self, learn: torch.Tensor) -> None:
        """Fits the codebooks."""
        self.quantizer.fit(learn)

    def add(self, base: torch.Tensor) -> None:
        """Encodes."""
        self.index.add(base)

    @torch.no_grad()
    def values(self) -> torch.Tensor:
        """What the codes stand for."""
        return torch.cat([self.quantizer.decode(piece.long()) for piece in self.index.codes.split(2**15)])

    def search(self, queries: torch.Tensor, k: int) -> torch.Tensor:
        """The ids of the k nearest, nearest first."""
        return self.index.search(queries, k).ids


class Theirs:
    """An index of faiss."""

    def __init__(self, make: Callable[[int], faiss.Index], dim: int):
        self.index = make(dim)

    def train(self, learn: torch.Tensor) -> None:
        """Faiss's own training."""
        self.index.train(learn.numpy())

    def add(self, base: torch.Tensor) -> None:
        """Encodes."""
        self.index.add(base.numpy())

    def values(self) -> torch.Tensor:
        """What the codes stand for."""
        return torch.from_numpy(self.index.reconstruct_n(0, self.index.ntotal))

    def search(self, queries: torch.Tensor, k: int) -> torch.Tensor:
        """The ids of the k nearest, nearest first."""
        return torch.from_numpy(self.index.search(queries.numpy(), k)[1])


def residual_of_faiss(dim: int, beam: int) -> faiss.Index:
    """Its residual quantiser, with the norms as floats, and with tables, which make it faster."""
    index = faiss.IndexResidualQuantizer(dim, STAGES, BITS, faiss.METRIC_L2, faiss.AdditiveQuantizer.ST_norm_float)
    index.rq.max_beam_size = beam
    index.rq.use_beam_LUT = 1
    return index


def local_search_of_faiss(dim: int) -> faiss.Index:
    """Its additive quantiser."""
    norms = faiss.AdditiveQuantizer.ST_norm_float
    return faiss.IndexLocalSearchQuantizer(dim, STAGES, BITS, faiss.METRIC_L2, norms)


class Method(NamedTuple):
    """What is measured: how to make it, by whom, and with how many of the learn vectors and of the base."""

    make: Callable[[int], Any]
    vectors: int | None = None


METHODS = {
    "faiss PQ": Method(partial(Theirs, lambda dim: faiss.IndexPQ(dim, STAGES, BITS))),
    "faiss OPQ": Method(partial(Theirs, lambda dim: faiss.index_factory(dim, f"OPQ{STAGES},PQ{STAGES}x{BITS}"))),
    "product": Method(partial(Ours, ProductVQ)),
    **{
        name: method
        for beam in (1, 5, 16)
        for name, method in {
            f"faiss residual, beam {beam}": Method(partial(Theirs, partial(residual_of_faiss, beam=beam))),
            f"residual, beam {beam}": Method(partial(Ours, partial(ResidualVQ, beam=beam))),
        }.items()
    },
    "faiss LSQ": Method(partial(Theirs, local_search_of_faiss), FEW),
    "additive, beam 16": Method(partial(Ours, partial(AdditiveVQ, beam=16, refinements=4)), FEW),
}


def measure(name: str, vectors: VectorSet) -> dict[str, Any]:
    """Error, recall and seconds of one method."""
    method = METHODS[name]
    learn, base = (some[: method.vectors].float() for some in (vectors.learn, vectors.base))
    queries = vectors.queries.float()
    neighbours = vectors.neighbours
    if len(base) < len(vectors.base):
        exact = faiss.IndexFlatL2(base.shape[1])
        exact.add(base.numpy())
        neighbours = torch.from_numpy(exact.search(queries.numpy(), 1)[1])
    subject = method.make(base.shape[1])
    times = [time.perf_counter()]
    for step in (partial(subject.train, learn), partial(subject.add, base)):
        step()
        times.append(time.perf_counter())
    found = subject.search(queries, max(RANKS))
    times.append(time.perf_counter())
    train, encode, search = np.diff(times)
    return {
        "method": name,
        "learn": len(learn),
        "base": len(base),
        "error": float((subject.values() - base).square().sum(1).mean()),
        "recall": {rank: recall(found, neighbours, rank) for rank in RANKS},
        "train_s": train,
        "encode_s": encode,
        "search_s": search,
    }


def main() -> None:
    """Measures what is missing, and writes the results after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"some of: {'; '.join(METHODS)}")
    parser.add_argument("--data", type=Path, default=Path("data/sift-photo"))
    parser.add_argument("--json", type=Path, default=RESULTS / "recall.json")
    parser.add_argument("--about", default="", help="on what machine")
    arguments = parser.parse_args()
    unknown = set(arguments.methods) - set(METHODS)
    if unknown:
        parser.error(f"no method {', '.join(unknown)}: there are {'; '.join(METHODS)}")
    try:
        vectors = open_set(arguments.data)
    except VqvaeError as error:
        raise SystemExit(f"error: {error}") from None
    rows = json.loads(arguments.json.read_text())["rows"] if arguments.json.exists() else []
    for name in arguments.methods or METHODS:
        if name not in [row["method"] for row in rows]:
            torch.manual_seed(0)
            rows.append(measure(name, vectors))
            print(f"{name}: error {rows[-1]['error']:.0f}, recall@1 {rows[-1]['recall'][1]:.4f}", flush=True)
            about = f"{arguments.data.name}. {arguments.about}".strip()
            arguments.json.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
