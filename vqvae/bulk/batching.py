"""Batches of images of one size: several times as fast on a GPU, and for small images."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vqvae.bulk.pipeline import BatchRequest
from vqvae.codec import ImageCodec
from vqvae.entropy.base import Track
from vqvae.formats import Coded

MAX_IMAGES = 64
MAX_PIXELS = 2**20  # of a batch of more than one image


def compression(
    codec: ImageCodec,
    image: UInt8[np.ndarray, "H W 3"],
    write: Callable[[Coded], Any],
    progressive: bool = False,
    quality: float | None = None,
    effort: int = 0,
    track: Track = iter,
) -> BatchRequest:
    """Requests the `Coded` indices of an image, for `write`; other arguments as in `ImageCodec.compress_batch`."""

    def compute(images: list[np.ndarray]) -> list[Coded]:
        batch = np.stack(images) if len(images) > 1 else images[0][None]  # a large one is not copied
        return codec.compress_batch(batch, progressive, quality, effort, track)

    height, width, _ = image.shape
    key = codec, height, width, progressive, quality, effort
    return BatchRequest(compute, image, key, _limit(height, width), write)


def decompression(
    codec: ImageCodec,
    coded: Coded,
    height: int,
    width: int,
    write: Callable[[UInt8[np.ndarray, "H W 3"]], Any],
    stages: int | None = None,
) -> BatchRequest:
    """Requests the image of coded indices, for `write`; other arguments as in `ImageCodec.decompress_batch`."""

    def compute(batch: list[Coded]) -> UInt8[np.ndarray, "n H W 3"]:
        return codec.decompress_batch(batch, height, width, stages)

    return BatchRequest(compute, coded, (codec, height, width, stages), _limit(height, width), write)


def _limit(height: int, width: int) -> int:
    return min(MAX_IMAGES, max(1, MAX_PIXELS // (height * width)))
