"""The paper's experiments beside ours: tables and figures from the results of trainings.

`published.json` has the figures of Vali and Bäckström (ICASSP 2023), as their authors published them. Ours are
collected from the folders of a sweep by `python -m benchmarks.report --collect outputs/cifar10`.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from math import log10
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from vqvae.evaluation.complexity import METHODS

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())
FIGURES = Path(__file__).parents[1] / "docs" / "figures"
NAMES = {"ResidualVQ": "RVQ", "AdditiveVQ": "AVQ", "ProductVQ": "PVQ"}
Curves = defaultdict[str, defaultdict[int, list[dict[str, Any]]]]  # what runs reached, by method and bits
COLOURS = {"AVQ": "C0", "RVQ": "C1", "PVQ": "C2"}

CIFAR10 = """
# The paper's images: CIFAR10

Four codebooks, 12 to 40 bits a vector, on a grid of 8×8: PSNR (dB) and SSIM on the 10,000 test images; published are
the means of 10 runs of 15,000 batches. The published counts of operations leave out one of the four stages of residual
and product VQ: WMOPS are log10 as published, and corrected. `python train.py -m experiment=cifar10` trains them all
(where the table has other batches, with `trainer.max_steps=`).

What agrees: each method gains with every bit, ever less; residual VQ is ahead of product VQ from 16 bits on.

What differs: all three are well above the published means, by more at high rates than at low ones. The network is
another one (the size of the paper's is not published), codebooks begin with joint classic training, unused codewords
are replaced, weights are averaged, and the decoder learns from what it will be given (DiVeQ) instead of from noise in
its place. Additive VQ is as good as residual VQ here, not behind it: with the same codebooks and beam its search never
finds a worse sum. Product VQ is last at 12 bits, too, where the paper has it first: all begin with the networks of the
shipped model, which were trained with residual VQ, and the encoder has to learn anew how to split what it says into
four parts.

The published counts of operations run over three of the four stages of residual and product VQ; corrected, they are a
third higher, which changes no order: additive VQ remains far costlier.

![PSNR and SSIM against bits a vector, ours and the paper's](figures/cifar10.svg)
"""

RECALL = """
# The paper's nearest-neighbour search: beside faiss

8 codebooks of 256, 64 bits a vector: classic training by everyone, exhaustive search among the codes, squared error of
the base, Recall@T (the share of queries whose nearest neighbour is among the first T found), and seconds to train, to
encode the base and to search it. The vectors are not those of SIFT1M, so that the published curves compare in shape and
order alone. Measured by `python -m benchmarks.recall`.

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

SIFT = """
# The paper's nearest-neighbour search: trained with NSVQ

The same by gradient descent, which begins with the codebooks of the classic training ("classic" is the error before).
`python train.py -m experiment=sift data.root=data/sift-photo` trains them all.
"""

SEARCH = """
# The paper's nearest-neighbour search: seconds

Exhaustive search for the k nearest by us and by faiss, with the same codebooks and the same codes. Measured by
`python -m benchmarks.search`.
"""

TOY = """
# The paper's toy data

Gaussian vectors of three laws, D = 64, four codebooks: squared error of a vector of variance 64. The law of the paper's
data is not published, so only the order of the methods and the ratios between them compare. The bound is the
rate-distortion function, which quantisers of ever longer sequences would come near. "Classic" is the error before
gradient descent. `python train.py -m experiment=toy` trains them all.

![Squared error against bits a vector, with the bounds, ours and the paper's](figures/toy.svg)
"""

# Our laws, and the published data that each is drawn beside
LAWS = {"rank 16": "correlated_mse", "autoregressive, 0.9": "correlated_mse", "white": "uncorrelated_mse"}
TOY_COLUMNS = ["data", "bits", "bound"] + [
    column
    for method in ("AVQ", "RVQ", "PVQ")
    for column in (method, f"{method}, classic", f"{method} / PVQ", f"{method} / PVQ, published")
    if not column.startswith("PVQ /")
]


def method_of(quantizer: Mapping[str, Any]) -> tuple[str, int]:
    """What the paper calls the quantiser of a config, and the bits that it takes for a vector."""
    return NAMES[quantizer["_target_"].rsplit(".", 1)[1]], quantizer["stages"] * quantizer["codebook_bits"]


def published_psnr(method: str, bits: int) -> float:
    """The paper's mean on CIFAR10, in dB."""
    published = PUBLISHED["cifar10"]
    return published["psnr_db"][method]["mean"][published["bits"].index(bits)]


def collect(folder: Path) -> list[dict[str, Any]]:
    """What the runs of a sweep reached, and how: one row for each."""
    rows = []
    for path in sorted(folder.glob("*/result.json")):
        result = json.loads(path.read_text())
        method, bits = method_of(result.get("quantizer") or result["model"]["quantizer"])
        rows.append(
            {
                "method": method,
                "bits": bits,
                "seed": result["training"]["seed"],
                "data": result["training"]["data"],
                **{key: result[key] for key in ("steps", "date", "seconds", "device", "torch", "test")},
            }
        )
    return rows


def cifar10(rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]], str]:
    """Heading, table and notes of the experiment on images; draws its figure."""
    runs = defaultdict(list)
    for row in rows:
        runs[row["method"], row["bits"]].append(row)
    published = PUBLISHED["cifar10"]
    table, curves = [], defaultdict(dict)
    for (method, bits), some in sorted(runs.items()):
        place = published["bits"].index(bits)
        psnr, ssim = ([run["test"][key] for run in some] for key in ("psnr_dataset", "ssim"))
        theirs = published_psnr(method, bits)
        operations = [count(64, 4, 2 ** (bits // 4)).wmops for count in METHODS[method][1:]]
        curves[method][bits] = {"psnr_db": mean(psnr), "ssim": mean(ssim)}
        table.append(
            {
                "method": method,
                "bits": bits,
                "PSNR": f"{mean(psnr):.2f}",
                "lowest to highest": f"{min(psnr):.2f} to {max(psnr):.2f}" if len(psnr) > 1 else "",
                "published": f"{theirs:.2f}",
                "difference": f"{mean(psnr) - theirs:+.2f}",
                "SSIM": f"{mean(ssim):.3f}",
                "published SSIM": f"{published['ssim'][method]['mean'][place]:.3f}",
                "log10 WMOPS": " / ".join(f"{log10(one):.2f}" for one in operations),
                "batches": ", ".join(sorted({str(run["steps"]) for run in some})),
                "seeds": len(some),
            }
        )
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, key, label in zip(axes, ("psnr_db", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        for method, points in curves.items():
            ours = {bits: values[key] for bits, values in points.items()}
            draw(axis, method, ours, published["bits"], published[key][method])
        axis.set(xlabel="bits a vector", ylabel=label, xticks=published["bits"])
    axes[0].legend(fontsize="small")
    save(figure, "cifar10")
    return CIFAR10, table, how(rows)


def recall(result: dict[str, Any]) -> tuple[str, list[dict[str, Any]], str]:
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


def sift(rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]], str]:
    """Heading, table and notes of quantisers of descriptors trained with NSVQ."""
    table = [
        {
            "method": row["method"],
            "base": row["test"]["base"],
            "classic": f"{row['test']['fitted']:.0f}",
            "error": f"{row['test']['error']:.0f}",
            **at_ranks(row["test"]["recall"]),
        }
        for row in rows
    ]
    return SIFT, table, how(rows)


def search(result: dict[str, Any]) -> tuple[str, list[dict[str, Any]], str]:
    """Heading, table and notes of the times of searches."""
    left_out = ("largest difference", "mean distance")
    table = [{key: value for key, value in row.items() if key not in left_out} for row in result["search"]]
    return SEARCH, table, result["about"]


def at_ranks(shares: Mapping[str, float]) -> dict[str, str]:
    """Recall@T, a column each."""
    return {f"@{rank}": f"{share:.3f}" for rank, share in shares.items()}


def toy(rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]], str]:
    """Heading, table and notes of the experiment on toy data; draws its figure."""
    table = []
    figure, axes = pyplot.subplots(1, len(LAWS), figsize=(15, 4), layout="constrained")
    for axis, (law, data) in zip(axes, LAWS.items(), strict=True):
        runs: Curves = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if law_of(row) == law:
                runs[row["method"]][row["bits"]].append(row["test"])
        published = PUBLISHED["toy"][data]
        theirs = {
            method: dict(zip(PUBLISHED["toy"]["bits"], curve["mean"], strict=True))
            for method, curve in published.items()
        }
        errors = {
            method: {bits: mean(test["error"] for test in some) for bits, some in curve.items()}
            for method, curve in runs.items()
        }
        bound = {bits: some[0]["bound"] for bits, some in sorted(runs["PVQ"].items())}
        for bits in bound:
            line: dict[str, Any] = {"data": law, "bits": bits, "bound": f"{bound[bits]:.2f}"}
            for method, curve in errors.items():
                line[method] = f"{curve[bits]:.2f}"
                line[f"{method}, classic"] = f"{mean(test['fitted'] for test in runs[method][bits]):.2f}"
                line[f"{method} / PVQ"] = f"{curve[bits] / errors['PVQ'][bits]:.3f}"
                line[f"{method} / PVQ, published"] = f"{theirs[method][bits] / theirs['PVQ'][bits]:.3f}"
            table.append({column: line.get(column, "") for column in TOY_COLUMNS})
        scale = errors["PVQ"][min(bound)] / theirs["PVQ"][min(bound)]  # so that product VQ begins where ours does
        for method, curve in sorted(errors.items()):
            draw(axis, method, curve)
            scaled = [scale * error for error in theirs[method].values()]
            axis.plot(list(theirs[method]), scaled, "--", color=COLOURS[method], label=f"{method}, published, scaled")
        axis.plot(list(bound), list(bound.values()), "k:", label="bound")
        axis.set(title=law, xlabel="bits a vector", ylabel="squared error", yscale="log")
        axis.set_xticks(PUBLISHED["toy"]["bits"])
    axes[0].legend(fontsize="small")
    save(figure, "toy")
    return TOY, table, how(rows)


def law_of(row: dict[str, Any]) -> str:
    """What the table calls the data of a run."""
    data = row["data"]
    if "rank" in data:
        return f"rank {data['rank']}"
    return f"autoregressive, {data['correlation']}" if data["correlation"] else "white"


def how(rows: list[dict[str, Any]]) -> str:
    """When, on what and for how long."""
    hours = sum(row["seconds"] for row in rows) / 3600
    devices = "; ".join(sorted({f"{row['device']}, torch {row['torch']}" for row in rows}))
    dates = sorted({row["date"] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{len(rows)} runs, {hours:.1f} hours of training together, {when}; {devices}."


def draw(axis: Axes, method: str, ours: Mapping[int, float], bits: list[int] | None = None, theirs: Any = None) -> None:
    """A method's curve, and the published one with its range."""
    axis.plot(*zip(*sorted(ours.items()), strict=True), "o-", color=COLOURS[method], label=f"{method}, ours")
    if theirs:
        axis.plot(bits, theirs["mean"], "--", color=COLOURS[method], label=f"{method}, published")
        axis.fill_between(bits, theirs["q_low"], theirs["q_high"], color=COLOURS[method], alpha=0.15, linewidth=0)


def save(figure: Any, name: str) -> None:
    """Writes the figure, with the same bytes for the same results."""
    FIGURES.mkdir(exist_ok=True)
    with pyplot.rc_context({"svg.hashsalt": name}):
        figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)
