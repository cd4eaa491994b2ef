"""The paper's nearest-neighbour search: beside faiss, trained with NSVQ, and its seconds."""

from collections.abc import Mapping
from typing import Any

from matplotlib import pyplot

from benchmarks.paper.common import COLOURS, PUBLISHED, Rows, Section, how, save

RECALL = """
# The paper's nearest-neighbour search: beside faiss

8 codebooks of 256, 64 bits a vector: codebooks fitted by each library, exhaustive search among codes, squared error of
the base, Recall@T (the share of queries whose nearest neighbour is among the first T found), and seconds to train, to
encode the base and to search it. The vectors are not those of SIFT1M, so that the published curves compare in shape and
order alone. Measured by `python -m benchmarks.recall`.

What agrees with the paper: product VQ finds least, residual VQ more, additive VQ most.

What differs: the paper's additive and product VQ stay behind their baselines; here none does. Product VQ does
the same as faiss's, with k-means. Residual VQ is well ahead of faiss's at the same beam, as all codebooks are fitted
together, to what the search chooses; and so is additive VQ of LSQ, given the same vectors.

![Recall@T of ours, faiss's and the published methods](figures/recall.svg)
"""

# The curves of the figure; the other beams are in the table
CURVES = {
    "product": ("C2", "-"),
    "faiss PQ": ("C2", "--"),
    "faiss OPQ": ("C4", "--"),
    "residual, beam 16": ("C1", "-"),
    "faiss residual, beam 16": ("C1", "--"),
    "additive, beam 16": ("C0", "-"),
    "faiss LSQ": ("C0", "--"),
}

BY_NSVQ, BY_BASELINES = (
    {method: format(shares[0], ".3f") for method, shares in PUBLISHED["ann_sift1m"][key].items()}
    for key in ("recall", "recall_baseline")
)

SIFT = f"""
# The paper's nearest-neighbour search: trained with NSVQ

The same by gradient descent, which begins with fitted codebooks ("fitted" is their error).
`python train.py -m experiment=sift data.root=data/sift-photo` trains them all.

What agrees: additive and residual VQ are far ahead of product VQ, and near one another.

What differs: in the paper additive and product VQ, trained with NSVQ alone, find the nearest neighbour first less
often than their baselines do ({BY_NSVQ["AVQ"]} against {BY_BASELINES["AVQ"]}, {BY_NSVQ["PVQ"]} against
{BY_BASELINES["PVQ"]}). Here each begins with fitted codebooks, and gradient descent through noise of the
error's length lowers the error of all three a little further. Residual VQ is as good as additive VQ at finding
neighbours: its codebooks are fitted together, by least squares, to what its search with a beam chooses.
"""

SEARCH = """
# The paper's nearest-neighbour search: seconds

Exhaustive search for the k nearest by us and by faiss, with the same codebooks and the same codes. Measured by
`python -m benchmarks.search`.
"""


def recall(result: dict[str, Any]) -> Section:
    """Heading, table and notes of the search beside faiss; draws its figure."""
    bases = sorted({row["base"] for row in result["rows"]}, reverse=True)
    figure, axes = pyplot.subplots(1, len(bases) + 1, figsize=(15, 4), sharey=True, layout="constrained")
    for axis, base in zip(axes, bases, strict=False):
        for row in result["rows"]:
            if row["base"] == base and row["method"] in CURVES:
                colour, style = CURVES[row["method"]]
                shares = {int(rank): share for rank, share in row["recall"].items()}
                axis.plot(*zip(*shares.items(), strict=True), style, color=colour, label=row["method"])
        axis.set(title=f"{base:,} vectors", ylabel="Recall@T" if base == bases[0] else None)
    published = PUBLISHED["ann_sift1m"]
    for key, style, by in (("recall", "-", "NSVQ"), ("recall_baseline", "--", "baseline")):
        for method, shares in published[key].items():
            axes[-1].plot(published["T"], shares, style, color=COLOURS[method], label=f"{method}, {by}")
    axes[-1].set(title="published: SIFT1M")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_xlabel("T")
        axis.legend(fontsize="small")
    save(figure, "recall")
    keys = {"train_s": "to train", "encode_s": "to encode", "search_s": "to search"}
    table = [
        {
            **{key: row[key] for key in ("method", "learn", "base")},
            "error": f"{row['error']:.0f}",
            **at_ranks(row["recall"]),
            **{name: f"{row[key]:.1f}" for key, name in keys.items()},
        }
        for row in result["rows"]
    ]
    return RECALL, table, result["about"]


def sift(rows: Rows) -> Section:
    """Heading, table and notes of quantisers of descriptors trained with NSVQ."""
    table = [
        {
            "method": row["method"],
            "base": row["test"]["base"],
            "fitted": f"{row['test']['fitted']:.0f}",
            "error": f"{row['test']['error']:.0f}",
            **at_ranks(row["test"]["recall"]),
        }
        for row in rows
    ]
    return SIFT, table, how(rows)


def search(result: dict[str, Any]) -> Section:
    """Heading, table and notes of the times of searches."""
    left_out = ("largest difference", "mean distance")
    table = [{key: value for key, value in row.items() if key not in left_out} for row in result["search"]]
    return SEARCH, table, result["about"]


def at_ranks(shares: Mapping[str, float]) -> dict[str, str]:
    """Recall@T, a column each."""
    return {f"@{rank}": f"{share:.3f}" for rank, share in shares.items()}
