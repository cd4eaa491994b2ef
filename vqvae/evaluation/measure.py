"""An image to bytes and back, by whatever coder, and the means over many images."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from vqvae.evaluation.fidelity import mean_squared_error, psnr_of, ssim


@dataclass(frozen=True)
class Measured:
    """One image, encoded to a file and decoded from it.

    Attributes:
        width, height: in pixels.
        file_bytes: the whole file.
        mse: mean squared error of 8-bit RGB values.
        ssim: structural similarity, None for images under 6 pixels.
        encode_s, decode_s: seconds from pixels to bytes and from bytes to pixels.
    """

    width: int
    height: int
    file_bytes: int
    mse: float
    ssim: float | None
    encode_s: float
    decode_s: float

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height


class RoundTrip(NamedTuple):
    """An image's file, what comes back of it, and what was measured."""

    data: bytes
    decoded: UInt8[np.ndarray, "H W 3"]
    measured: Measured


def round_trip(
    encode: Callable[[UInt8[np.ndarray, "H W 3"]], bytes],
    decode: Callable[[bytes], UInt8[np.ndarray, "H W 3"]],
    image: UInt8[np.ndarray, "H W 3"],
) -> RoundTrip:
    """Encodes and decodes an image."""
    start = perf_counter()
    data = encode(image)
    encoded = perf_counter()
    decoded = decode(data)
    end = perf_counter()
    height, width, _ = image.shape
    measured = Measured(
        width=width,
        height=height,
        file_bytes=len(data),
        mse=mean_squared_error(image, decoded),
        ssim=ssim(image, decoded),
        encode_s=encoded - start,
        decode_s=end - encoded,
    )
    return RoundTrip(data, decoded, measured)


def average(results: Sequence[Measured]) -> dict[str, Any]:
    """The figures of a set of images.

    `bpp` is all bits over all pixels; `psnr_mean` is the mean of the images' PSNR and `psnr_dataset` the PSNR of the
    mean squared error over all pixels, both in dB; `ssim`, `encode_s` and `decode_s` are means over the images.
    """
    pixels = sum(result.pixels for result in results)
    return {
        "bpp": 8 * sum(result.file_bytes for result in results) / pixels,
        "psnr_mean": finite(fmean(psnr_of(result.mse) for result in results)),
        "psnr_dataset": finite(psnr_of(sum(result.mse * result.pixels for result in results) / pixels)),
        "ssim": mean_of_known(result.ssim for result in results),
        "encode_s": fmean(result.encode_s for result in results),
        "decode_s": fmean(result.decode_s for result in results),
    }


def mean_of_known(values: Iterable[float | None]) -> float | None:
    """The mean of those that are not None, if there are any."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def finite(value: float) -> float | None:
    """The value itself, or None where it is infinite, which JSON does not know."""
    return value if math.isfinite(value) else None
