"""The quality that gives a file of some size, or an image of some PSNR."""

import math
from collections.abc import Callable

from vqvae.errors import UsageError

MAX_TRIALS, LEAST_STEP, LEAST_SHARE = 10, 0.25, 0.1
"""Of a search for a quality: trials besides both ends, when they are close enough, and how far from them it stays."""

SIZE_TOLERANCE, PSNR_TOLERANCE = 0.003, 0.02  # of the logarithm, and in dB


def quality_for_bpp(bpp_at: Callable[[float], float], bpp: float) -> float:
    """The highest quality found whose file has no more bits per pixel.

    Args:
        bpp_at: bits per pixel of the file of a quality.
        bpp: those wanted.

    Raises:
        UsageError: even quality 0 takes more.
    """
    lowest = math.inf

    def excess_at(quality: float) -> float:
        nonlocal lowest
        found = bpp_at(quality)
        lowest = min(lowest, found)
        return math.log(found / bpp) if bpp > 0 else math.inf

    quality = search_quality(excess_at, -SIZE_TOLERANCE)
    if quality is None:
        raise UsageError(f"{bpp:g} bpp cannot be reached: quality 0 takes {lowest:.3f} bpp for this image")
    return quality


def quality_for_psnr(psnr_at: Callable[[float], float], psnr: float) -> float:
    """The lowest quality found that has this PSNR.

    Args:
        psnr_at: PSNR of a quality, in dB.
        psnr: that wanted.

    Raises:
        UsageError: even quality 100 has less.
    """
    highest = -math.inf

    def shortfall_at(below: float) -> float:
        nonlocal highest
        found = psnr_at(100 - below)
        highest = max(highest, found)
        return psnr - found

    below = search_quality(shortfall_at, -PSNR_TOLERANCE)
    if below is None:
        raise UsageError(f"{psnr:g} dB cannot be reached: quality 100 has {highest:.2f} dB for this image")
    return 100 - below


def search_quality(excess_at: Callable[[float], float], tolerance: float) -> float | None:
    """The highest quality tried whose excess is not above zero; None if that of quality 0 is.

    Excesses mostly rise with the quality, but not always. Between a quality below and one above, the next is where the
    line between their excesses meets zero.

    Args:
        excess_at: by how much a quality goes beyond what is wanted.
        tolerance: an excess between this, which is below zero, and zero is close enough.
    """
    lowest, highest = 0.0, 100.0
    below, above = excess_at(lowest), 0.0
    if below > 0:
        return None
    if (above := excess_at(highest)) <= 0:
        return highest
    for _ in range(MAX_TRIALS):
        if below >= tolerance or highest - lowest < LEAST_STEP:
            break
        share = min(max(below / (below - above), LEAST_SHARE), 1 - LEAST_SHARE)
        quality = lowest + share * (highest - lowest)
        excess = excess_at(quality)
        if excess <= 0:
            lowest, below = quality, excess
        else:
            highest, above = quality, excess
    return lowest
