"""Crops of one size from images of any size."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import BatchSet, flip_at_random


class Crops(BatchSet):
    """A fixed number of crops of each image.

    Args:
        images: the images, each at least `size` high and wide.
        size: height and width of the crops, in pixels.
        per_image: crops of each image.
    """

    def __init__(self, images: Sequence[UInt8[Tensor, "3 H W"]], size: int, per_image: int):
        self.images = images
        self.size = size
        self.per_image = per_image

    def __len__(self) -> int:
        return len(self.images) * self.per_image

    def crop(self, image: UInt8[Tensor, "3 H W"], top: int, left: int) -> UInt8[Tensor, "3 size size"]:
        """The crop with this corner."""
        return image[:, top : top + self.size, left : left + self.size]


class RandomCrops(Crops):
    """Crops from random positions, flipped at random: new ones in each epoch."""

    def __getitems__(self, indices: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        return flip_at_random(torch.stack([self._draw(self.images[index % len(self.images)]) for index in indices]))

    def _draw(self, image: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 size size"]:
        top, left = (int(torch.randint(side - self.size + 1, ())) for side in image.shape[1:])
        return self.crop(image, top, left)


class FixedCrops(Crops):
    """Fixed crops, evenly spaced along each image's diagonal."""

    def __getitems__(self, indices: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        return torch.stack([self._take(*divmod(index, self.per_image)) for index in indices])

    def _take(self, image_index: int, place: int) -> UInt8[Tensor, "3 size size"]:
        image = self.images[image_index]
        top, left = ((side - self.size) * (place + 1) // (self.per_image + 1) for side in image.shape[1:])
        return self.crop(image, top, left)
