"""The largest images that are compressed and decompressed."""

from math import prod

from vqvae.codec.transform import ImageTransform
from vqvae.errors import BitstreamError, ImageError

PADDED_LIMIT = 2
"""Times the limit on an image's pixels that its padding to the networks' stride may take it to."""


class SizeLimit:
    """Refuses what is too large, before any time or memory is spent on it.

    Args:
        max_pixels: most pixels of a decompressed image; images whose padding takes twice as many are refused as well.
        transform: the networks, which pad images to multiples of their stride.
    """

    def __init__(self, max_pixels: int, transform: ImageTransform):
        self.max_pixels, self.transform = max_pixels, transform

    def check_image(self, height: int, width: int) -> None:
        """Raises ImageError for an image that is too large once it is padded."""
        if self._padded(height, width) > PADDED_LIMIT * self.max_pixels:
            raise ImageError(self._too_large(height, width) + ": cut it up first")

    def check_claim(self, height: int, width: int) -> None:
        """Raises BitstreamError for what a file says of its image."""
        pixels = width * height
        if pixels > self.max_pixels:
            raise BitstreamError(
                f"claims {width}×{height} pixels, more than the limit of {self.max_pixels}: "
                f"raise it with --max-pixels {pixels} if you trust the file"
            )
        if self._padded(height, width) > PADDED_LIMIT * self.max_pixels:
            raise BitstreamError(f"claims to be an image that {self._too_large(height, width)}")

    def _padded(self, height: int, width: int) -> int:
        """Pixels that the networks compute for an image: many more than it has, if it is a few pixels wide."""
        return prod(self.transform.grid(height, width)) * self.transform.autoencoder.stride**2

    def _too_large(self, height: int, width: int) -> str:
        padded, stride = self._padded(height, width), self.transform.autoencoder.stride
        limit = PADDED_LIMIT * self.max_pixels
        return f"has {width}×{height} pixels, {padded} when padded to multiples of {stride}, more than {limit}"
