"""Rate-distortion curves of several coders, measured on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from vqvae.evaluation.fidelity import ms_ssim
from vqvae.evaluation.measure import Measured, average, mean_of_known, round_trip
from vqvae.evaluation.reference_codecs import Coder, Quality


@dataclass(frozen=True)
class CoderResult(Measured):
    """One image, encoded by a coder at one quality.

    Attributes:
        ms_ssim: multi-scale structural similarity, None for images with a side under 176 pixels.
    """

    ms_ssim: float | None


class Curve(NamedTuple):
    """What a coder reached.

    Attributes:
        name: of the coder.
        points: a row of figures for each quality: `quality`, those of `average`, and `ms_ssim`, the mean over images.
    """

    name: str
    points: list[dict[str, Any]]


def measure(coders: Sequence[Coder], image: UInt8[np.ndarray, "H W 3"]) -> list[CoderResult]:
    """Encodes and decodes an image with each coder at each of its qualities, in their order."""
    results = []
    for coder in coders:
        for quality in coder.qualities:
            trip = round_trip(partial(coder.encode, quality=quality), coder.decode, image)
            results.append(CoderResult(**vars(trip.measured), ms_ssim=ms_ssim(image, trip.decoded)))
    return results


def curves_of(coders: Sequence[Coder], measured: Sequence[Sequence[CoderResult]]) -> list[Curve]:
    """The coders' curves.

    Args:
        coders: those that were measured.
        measured: what `measure` returned for each image.
    """
    settings = zip(*measured, strict=True)  # the results of all images at one quality of one coder, and so on
    return [Curve(coder.name, [_point(quality, next(settings)) for quality in coder.qualities]) for coder in coders]


def _point(quality: Quality, results: Sequence[CoderResult]) -> dict[str, Any]:
    similarity = mean_of_known(result.ms_ssim for result in results)
    return {"quality": quality, **average(results), "ms_ssim": similarity}
