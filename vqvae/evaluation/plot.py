"""Rate-distortion curves as a figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vqvae.errors import MissingPackageError

try:
    from matplotlib.figure import Figure
except ImportError:
    raise MissingPackageError("matplotlib is not installed: pip install 'vqkit[plot]'") from None


def draw_curves(codecs: Sequence[Mapping[str, Any]]) -> Figure:
    """PSNR and, where it is known, MS-SSIM in dB against bits per pixel.

    Args:
        codecs: the `codecs` of a report of `eval --against`.
    """
    panels = {"PSNR, dB": [_psnr(codec) for codec in codecs], "MS-SSIM, dB": [_ms_ssim(codec) for codec in codecs]}
    panels = {label: curves for label, curves in panels.items() if any(curves)}
    figure = Figure(figsize=(6 * len(panels), 4.5), layout="constrained")
    for number, (label, curves) in enumerate(panels.items(), 1):
        axis = figure.add_subplot(1, len(panels), number)
        for codec, points in zip(codecs, curves, strict=True):
            axis.plot(*zip(*points, strict=True), "o-", markersize=4, label=_label(codec))
        axis.set(xlabel="bits per pixel", ylabel=label)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    return figure


def _psnr(codec: Mapping[str, Any]) -> list[tuple[float, float]]:
    return [(point["bpp"], point["psnr_mean"]) for point in codec["points"] if point["psnr_mean"] is not None]


def _ms_ssim(codec: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Its distance from 1 in dB, as is usual: high similarities are then told apart."""
    known = [(point["bpp"], point["ms_ssim"]) for point in codec["points"] if point["ms_ssim"] is not None]
    return [(bpp, -10 * math.log10(1 - similarity)) for bpp, similarity in known if similarity < 1]


def _label(codec: Mapping[str, Any]) -> str:
    return f"{codec['name']}, BD-rate {codec['bd_rate']:+.1f} %" if codec["bd_rate"] else codec["name"]
