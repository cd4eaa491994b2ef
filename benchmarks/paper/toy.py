"""The paper's toy data: Gaussian vectors."""

from collections import defaultdict
from statistics import mean
from typing import Any

from matplotlib import pyplot

from benchmarks.paper.common import COLOURS, PUBLISHED, Rows, Section, draw, how, save

TOY = """
# The paper's toy data

Gaussian vectors of three laws, D = 64, four codebooks: squared error of a vector of variance 64. The law of the paper's
data is not published, so only the order of the methods and the ratios between them compare. The bound is the
rate-distortion function, which quantisers of ever longer sequences would come near. "Fitted" is the error before
gradient descent. `python train.py -m experiment=toy` trains them all.

What agrees: on vectors that lie in 16 of their 64 dimensions, residual and additive VQ are far below product VQ, the
first by nearly the published ratios. So the paper's correlated data are likely of this kind: with the other law, where
neighbouring components correlate, even the bound is above the published curves.

What differs: additive VQ is hardly better than residual VQ, whose codebooks are trained together here and searched with
a beam. And on independent components product VQ is not the best at high rates, but the worst: any product of codebooks
is also a sum of codewords with zeros in the other parts, so additive and residual VQ can do whatever it can. In the
paper they stay behind it by what their training and search miss.

![Squared error against bits a vector, with the bounds, ours and the paper's](figures/toy.svg)
"""

# Our laws, and the published data that each is drawn beside
LAWS = {"rank 16": "correlated_mse", "autoregressive, 0.9": "correlated_mse", "white": "uncorrelated_mse"}
TOY_COLUMNS = ["data", "bits", "bound"] + [
    column
    for method in ("AVQ", "RVQ", "PVQ")
    for column in (method, f"{method}, fitted", f"{method} / PVQ", f"{method} / PVQ, published")
    if not column.startswith("PVQ /")
]


def toy(rows: Rows) -> Section:
    """Heading, table and notes of the experiment on toy data; draws its figure."""
    table = []
    figure, axes = pyplot.subplots(1, len(LAWS), figsize=(15, 4), layout="constrained")
    for axis, (law, data) in zip(axes, LAWS.items(), strict=True):
        runs: defaultdict[str, defaultdict[int, Rows]] = defaultdict(lambda: defaultdict(list))
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
                line[f"{method}, fitted"] = f"{mean(test['fitted'] for test in runs[method][bits]):.2f}"
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
