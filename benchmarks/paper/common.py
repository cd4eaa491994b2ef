"""The published figures, the results of a sweep, and what the experiments' figures share."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from vqvae.models.registry import registered_name

PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())
FIGURES = Path(__file__).parents[2] / "docs" / "figures"
NAMES = {"residual_vq": "RVQ", "additive_vq": "AVQ", "product_vq": "PVQ"}
COLOURS = {"AVQ": "C0", "RVQ": "C1", "PVQ": "C2"}

Rows = list[dict[str, Any]]
Section = tuple[str, Rows, str]
"""Heading, table and notes of an experiment."""


def method_of(quantizer: Mapping[str, Any]) -> tuple[str, int]:
    """What the paper calls the quantiser of a config, and the bits that it takes for a vector."""
    return NAMES[registered_name(quantizer["_target_"])], quantizer["stages"] * quantizer["codebook_bits"]


def published_psnr(method: str, bits: int) -> float:
    """The paper's mean on CIFAR10, in dB."""
    published = PUBLISHED["cifar10"]
    return published["psnr_db"][method]["mean"][published["bits"].index(bits)]


def collect(folder: Path) -> Rows:
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


def how(rows: Rows) -> str:
    """When, on what and for how long."""
    hours = sum(row["seconds"] for row in rows) / 3600
    devices = "; ".join(sorted({f"{row['device']}, torch {row['torch']}" for row in rows}))
    dates = sorted({row["date"] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{len(rows)} runs, {hours:.1f} hours of gradient descent together, {when}; {devices}."


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
