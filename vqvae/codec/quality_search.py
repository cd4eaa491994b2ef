"""The quality that gives a file of some size, or an image of some PSNR."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from vqvae.codec.rate_code import rate_of, relative_rate
from vqvae.errors import UsageError
from vqvae.formats import Chunks

if TYPE_CHECKING:
    from vqvae.codec.image import ImageCodec

MAX_TRIALS, LEAST_STEP, LEAST_SHARE = 10, 0.25, 0.1
"""Of a search for a quality: trials besides both ends, when they are close enough, and how far from them it stays."""

SIZE_TOLERANCE, PSNR_TOLERANCE = 0.003, 0.02  # of the logarithm, and in dB


class QualitySearch:
    """Finds qualities for one image. Networks that do not take a rate run once.

    Args:
        codec: of a variable-rate model.
        pixels: the image.
    """

    def __init__(self, codec: ImageCodec, pixels: UInt8[np.ndarray, "H W 3"]):
        self.codec, self.pixels = codec, pixels
        self.height, self.width, _ = pixels.shape
        with torch.inference_mode():
            self._vectors = None if codec.transform.takes_rate else list(codec.transform.analysis(pixels[None]))

    def for_bpp(self, bpp: float, chunks: Chunks) -> float:
        """The highest quality found with no more bits per pixel in its file.

        Raises:
            UsageError: even quality 0 takes more.
        """
        sizes: dict[float, int] = {}
        area = self.height * self.width

        def excess_at(quality: float) -> float:
            (coded,) = self.codec.code(self._indices(quality), False, quality)
            sizes[quality] = len(self.codec.pack(coded, self.height, self.width, chunks))
            return math.log(8 * sizes[quality] / (bpp * area)) if bpp > 0 else math.inf

        quality = search_quality(excess_at, -SIZE_TOLERANCE)
        if quality is None:
            needed = 8 * sizes[0.0] / area
            raise UsageError(f"{bpp:g} bpp cannot be reached: quality 0 takes {needed:.3f} bpp for this image")
        return quality

    def for_psnr(self, psnr: float) -> float:
        """The lowest quality found with this PSNR.

        Raises:
            UsageError: even quality 100 has less.
        """
        reached: dict[float, float] = {}

        def shortfall_at(below: float) -> float:
            quality = 100 - below
            rate = relative_rate(rate_of(quality) if self.codec.transform.takes_rate else None)
            decoded = self.codec.transform.synthesis(self._indices(quality), self.height, self.width, rate)[0]
            error = np.square(decoded.astype(np.float64) - self.pixels).mean()
            reached[quality] = 10 * math.log10(255**2 / error) if error else math.inf
            return psnr - reached[quality]

        below = search_quality(shortfall_at, -PSNR_TOLERANCE)
        if below is None:
            raise UsageError(f"{psnr:g} dB cannot be reached: quality 100 has {reached[100.0]:.2f} dB for this image")
        return 100 - below

    @torch.inference_mode()
    def _indices(self, quality: float) -> Int64[np.ndarray, "1 h w m"]:
        grid = self.codec.transform.grid(self.height, self.width)
        with self.codec.backend.coding(math.prod(grid)):
            if self._vectors is None or self.codec.chooser is None:
                return self.codec.indices(self.pixels[None], quality)
            return self.codec.chooser.at_quality(quality).choose(self._vectors)


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
