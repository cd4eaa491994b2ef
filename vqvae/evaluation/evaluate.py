"""Rate and distortion of a codec, measured on real files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vqvae.codec import ImageCodec
from vqvae.evaluation.fidelity import psnr_of
from vqvae.evaluation.measure import Measured, average, finite, round_trip
from vqvae.formats.vqz import split


@dataclass(frozen=True)
class ImageResult(Measured):
    """One image, encoded by a model.

    Attributes:
        name: of the image.
        payload_bytes: its entropy-coded indices alone.
    """

    name: str
    payload_bytes: int

    def figures(self) -> dict[str, Any]:
        """The figures reported for one image; PSNR in dB, None where nothing was lost."""
        return {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "bytes": self.file_bytes,
            "bpp": 8 * self.file_bytes / self.pixels,
            "payload_bpp": 8 * self.payload_bytes / self.pixels,
            "psnr": finite(psnr_of(self.mse)),
            "ssim": self.ssim,
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
        }


def evaluate_image(
    codec: ImageCodec, name: str, image: UInt8[np.ndarray, "H W 3"], quality: float | None = None, effort: int = 0
) -> ImageResult:
    """Compresses and decompresses one image; `quality` and `effort` as `ImageCodec.compress` has them."""
    trip = round_trip(partial(codec.compress, quality=quality, effort=effort), codec.decompress, image)
    return ImageResult(**vars(trip.measured), name=name, payload_bytes=split(trip.data).coded.payload_bytes)


def summarize(results: Sequence[ImageResult]) -> dict[str, Any]:
    """The figures of a set of images: those of `average`, and `payload_bpp`, counted as `bpp` is."""
    figures = average(results)
    pixels = sum(result.pixels for result in results)
    return {
        "images": len(results),
        "bpp": figures.pop("bpp"),
        "payload_bpp": 8 * sum(result.payload_bytes for result in results) / pixels,
        **figures,
    }
