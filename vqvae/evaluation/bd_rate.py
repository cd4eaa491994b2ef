"""How much more or less rate a codec takes than another for the same quality."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from vqvae.errors import MissingPackageError

try:
    import bjontegaard
except ImportError:
    raise MissingPackageError("bjontegaard is not installed: pip install 'vqkit[plot]'") from None

RATES, HIGH_RATES = (0.1, 1.0), (0.5, 2.5)  # bits per pixel
LEAST_POINTS = 4


class BdRate(NamedTuple):
    """A BD-rate, or why there is none.

    Attributes:
        percent: the mean difference of the rates at equal quality; less than 0 where the codec takes less.
        note: the qualities that it is a mean over, or what is missing.
    """

    percent: float | None
    note: str


def bd_rate(
    anchor: Sequence[tuple[float, float]],
    curve: Sequence[tuple[float, float]],
    limits: tuple[float, float] = RATES,
) -> BdRate:
    """The Bjøntegaard delta rate of a curve against another, the anchor.

    Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001. Of both curves, the points
    within the limits are used; between them, the logarithm of the rate is interpolated piecewise by monotone
    cubics of the PSNR (PCHIP), and integrated over the PSNR that both curves reach there.

    Args:
        anchor: bits per pixel and quality in dB of each point, in any order.
        curve: the same.
        limits: bits per pixel.
    """
    used = [sorted(point for point in points if limits[0] <= point[0] <= limits[1]) for points in (anchor, curve)]
    for who, points in zip(("the anchor", "it"), used, strict=True):
        if len(points) < LEAST_POINTS:
            needed = f"{LEAST_POINTS} points needed from {limits[0]:g} to {limits[1]:g} bpp"
            return BdRate(None, f"{who} has {len(points)} of the {needed}")
    (rates, psnr), (own_rates, own_psnr) = (zip(*points, strict=True) for points in used)
    if any(after <= before for some in (psnr, own_psnr) for before, after in pairwise(some)):
        return BdRate(None, "a quality that does not rise with the rate")
    lowest, highest = max(psnr[0], own_psnr[0]), min(psnr[-1], own_psnr[-1])
    if lowest >= highest:
        return BdRate(None, "no quality that both reach")
    percent = bjontegaard.bd_rate(
        rates, psnr, own_rates, own_psnr, method="pchip", require_matching_points=False, min_overlap=0
    )
    return BdRate(float(percent), f"from {lowest:.1f} to {highest:.1f} dB")
