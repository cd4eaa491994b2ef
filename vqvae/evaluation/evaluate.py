"""Rate and distortion of a codec, measured on real files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vqvae.codec import Codec
from vqvae.coding import unpack
from vqvae.evaluation.quality import mean_squared_error, psnr_of, ssim


@dataclass(frozen=True)
class ImageResult:
    """One image, encoded to a file and decoded from it.

    Attributes:
        name: of the image.
        width, height: in pixels.
        file_bytes, payload_bytes: the whole file, and its entropy-coded indices alone.
        mse: mean squared error of 8-bit RGB values.
        ssim: structural similarity, None for images under 6 pixels.
        encode_s, decode_s: seconds from pixels to bytes and from bytes to pixels.
    """

    name: str
    width: int
    height: int
    file_bytes: int
    payload_bytes: int
    mse: float
    ssim: float | None
    encode_s: float
    decode_s: float

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def figures(self) -> dict[str, Any]:
        """The figures reported for one image; PSNR in dB, None where nothing was lost."""
        return {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "bytes": self.file_bytes,
            "bpp": 8 * self.file_bytes / self.pixels,
            "payload_bpp": 8 * self.payload_bytes / self.pixels,
            "psnr": _finite(psnr_of(self.mse)),
            "ssim": self.ssim,
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
        }


def evaluate_image(codec: Codec, name: str, image: UInt8[np.ndarray, "H W 3"]) -> ImageResult:
    """Compresses and decompresses one image."""
    start = perf_counter()
    data = codec.compress(image)
    encoded = perf_counter()
    decoded = codec.decompress(data)
    end = perf_counter()
    height, width, _ = image.shape
    return ImageResult(
        name=name,
        width=width,
        height=height,
        file_bytes=len(data),
        payload_bytes=unpack(data).coded.payload_bytes,
        mse=mean_squared_error(image, decoded),
        ssim=ssim(image, decoded),
        encode_s=encoded - start,
        decode_s=end - encoded,
    )


def summarize(results: Sequence[ImageResult]) -> dict[str, Any]:
    """The figures of a set of images.

    `bpp` and `payload_bpp` are all bits over all pixels; `psnr_mean` is the mean of the images' PSNR and
    `psnr_dataset` the PSNR of the mean squared error over all pixels, both in dB; `ssim`, `encode_s` and `decode_s`
    are means over the images.
    """
    pixels = sum(result.pixels for result in results)
    similarities = [result.ssim for result in results if result.ssim is not None]
    return {
        "images": len(results),
        "bpp": 8 * sum(result.file_bytes for result in results) / pixels,
        "payload_bpp": 8 * sum(result.payload_bytes for result in results) / pixels,
        "psnr_mean": _finite(fmean(psnr_of(result.mse) for result in results)),
        "psnr_dataset": _finite(psnr_of(sum(result.mse * result.pixels for result in results) / pixels)),
        "ssim": fmean(similarities) if similarities else None,
        "encode_s": fmean(result.encode_s for result in results),
        "decode_s": fmean(result.decode_s for result in results),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
