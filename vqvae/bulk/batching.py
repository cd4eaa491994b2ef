"""Images of one size through a codec at once: on a GPU, and where images are small, that is several times as fast."""

import numpy as np
from jaxtyping import UInt8

from vqvae.bulk.pipeline import Together
from vqvae.codec import ImageCodec
from vqvae.formats import Coded

MOST_IMAGES = 64
MOST_PIXELS = 2**20  # of all images, unless it is a single one


def encoding(
    codec: ImageCodec, image: UInt8[np.ndarray, "H W 3"], progressive: bool = False, quality: float | None = None
) -> Together:
    """Asks for the `Coded` indices of an image; the arguments are those of `ImageCodec.compress_batch`."""

    def compute(images: list[np.ndarray]) -> list[Coded]:
        together = np.stack(images) if len(images) > 1 else images[0][None]  # a large one is not copied
        return codec.compress_batch(together, progressive, quality)

    height, width, _ = image.shape
    return Together(compute, image, (codec, height, width, quality), _most(height, width))


def decoding(codec: ImageCodec, coded: Coded, height: int, width: int, stages: int | None = None) -> Together:
    """Asks for the image of coded indices; the arguments are those of `ImageCodec.decompress_batch`."""

    def compute(many: list[Coded]) -> UInt8[np.ndarray, "n H W 3"]:
        return codec.decompress_batch(many, height, width, stages)

    return Together(compute, coded, (codec, height, width), _most(height, width))


def _most(height: int, width: int) -> int:
    return min(MOST_IMAGES, max(1, MOST_PIXELS // (height * width)))
