"""Rate and distortion on Kodak, beside published curves: a section and a figure of docs/results.md.

`vqvae eval data/kodak --against jpeg,webp,avif --json kodak.json` measures what it is made of, and
`python -m benchmarks.report --add kodak.json --about "machine, date"` puts it there.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from benchmarks.paper.common import Rows, Section, save
from vqvae.evaluation.bd_rate import BdRate, bd_rate
from vqvae.evaluation.plot import draw_curves

PUBLISHED = json.loads((Path(__file__).parent / "published_kodak.json").read_text())["codecs"]
TIMED_AT = 0.5  # bits per pixel

Points = list[tuple[float, float]]  # bits per pixel, dB

KODAK = """
# Rate and distortion: Kodak

Bits per pixel of whole files against the mean of the images' PSNR. JPEG (Huffman tables optimised, 4:2:0), WebP
(method 6) and AVIF (speed 6, 4:2:0) are written by Pillow in the same run as ours, by
`vqvae eval data/kodak --against jpeg,webp,avif --json kodak.json`; seconds are means per image at the quality nearest
to 0.5 bits per pixel. The others are the curves that CompressAI publishes for the same images; its JPEG is without
optimised tables.

BD-rate is the mean difference in rate from our run's JPEG, and from its WebP, at equal PSNR, less being better, over
the PSNR that both reach from 0.1 to 1 bit per pixel.

![PSNR and MS-SSIM against bits per pixel](figures/kodak.svg)
"""


def kodak(report: dict[str, Any]) -> Section:
    """Heading, table and notes of a comparison on Kodak; draws its figure."""
    figure = draw_curves(report["codecs"])
    axis = figure.axes[0]
    limits = axis.get_xlim(), axis.get_ylim()
    others = sorted(PUBLISHED.keys() - {"JPEG", "WebP"}, key=_height, reverse=True)  # those two are in the run
    for name, colour in zip(others, colormaps["viridis"].resampled(len(others)).colors, strict=True):
        curve = PUBLISHED[name]
        axis.plot(curve["bpp"], curve["psnr_db"], "--", color=colour, linewidth=1, label=f"{name}, published")
    axis.set(xlim=limits[0], ylim=limits[1])
    axis.legend(fontsize="x-small")
    save(figure, "kodak")
    about = f"{report['images']} images, model {report['model']}. {report['about']}"
    return KODAK, _rows(report), about


def _height(name: str) -> float:
    """How high up a published curve is, so that the legend has them in this order."""
    return float(np.interp(TIMED_AT, *(sorted(PUBLISHED[name][key]) for key in ("bpp", "psnr_db"))))


def _rows(report: dict[str, Any]) -> Rows:
    ours = {codec["name"]: codec["points"] for codec in report["codecs"]}
    curves = {name: [(point["bpp"], point["psnr_mean"]) for point in points] for name, points in ours.items()}
    anchors = [curves["jpeg"], curves["webp"]]
    rows = []
    for name, points in ours.items():
        point = min(points, key=lambda point: abs(point["bpp"] - TIMED_AT))
        rows.append(_row(name, anchors, curves[name], f"{point['encode_s']:.3f}", f"{point['decode_s']:.3f}"))
    for name, curve in PUBLISHED.items():
        points = list(zip(curve["bpp"], curve["psnr_db"], strict=True))
        rows.append(_row(f"{name}, published", anchors, points))
    return rows


def _row(name: str, anchors: list[Points], points: Points, encode_s: str = "", decode_s: str = "") -> dict[str, str]:
    jpeg, webp = (bd_rate(anchor, points) for anchor in anchors)
    return {
        "codec": name,
        "BD-rate": _percent(jpeg),
        "over": jpeg.note,
        "from WebP": _percent(webp),
        "encode, s": encode_s,
        "decode, s": decode_s,
    }


def _percent(rate: BdRate) -> str:
    return "" if rate.percent is None else f"{rate.percent:+.1f} %"
