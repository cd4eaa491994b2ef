"""Photographs in two folders: to train with, and to validate with."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.data.folder import ImageFiles
from vqvae.errors import DataError
from vqvae.images import READABLE


class Photographs(ImageDataModule):
    """Crops of photographs, reduced, turned and mirrored at random.

    Args:
        root: a folder with `train` and `validation`.
        batch_size: crops per batch.
        crop: height and width of the crops, in pixels.
        reduced: share of the crops that come from a reduced image.
        smallest: the least that these are reduced to, as a share of the image's side.
        validation_crop: height and width of the crops to validate with.
        crops_per_image: crops drawn from each image in an epoch.
        cache_mb: decoded images are kept in memory up to so many megabytes.
        workers: processes that prepare batches.
    """

    def __init__(
        self,
        root: str | None,
        batch_size: int,
        crop: int,
        reduced: float = 0.5,
        smallest: float = 0.5,
        validation_crop: int = 256,
        crops_per_image: int = 16,
        cache_mb: int = 2000,
        workers: int = 0,
    ):
        super().__init__(batch_size, workers)
        if root is None:
            raise DataError("no folder of photographs given: name it with data.root=FOLDER")
        self.root = Path(root)
        self.crop, self.reduced, self.smallest = crop, reduced, smallest
        self.validation_crop = validation_crop
        self.crops_per_image, self.cache_mb = crops_per_image, cache_mb

    def setup(self, stage: str | None = None) -> None:
        trained, held_out = (
            sorted(path for path in (self.root / part).rglob("*") if path.suffix.lower() in READABLE)
            for part in ("train", "validation")
        )
        self.train_set = AugmentedCrops(
            ImageFiles(trained, self.cache_mb), self.crop, self.crops_per_image, self.reduced, self.smallest
        )
        self.val_set = self.test_set = FixedCrops(ImageFiles(held_out, self.cache_mb), self.validation_crop, 1)


class AugmentedCrops(RandomCrops):
    """Crops from random places, some of reduced images, mirrored and turned at random.

    Args:
        images, size, per_image: as `RandomCrops` has them.
        reduced: share of the crops that come from a reduced image.
        smallest: the least that these are reduced to.
    """

    def __init__(self, images, size: int, per_image: int, reduced: float, smallest: float):
        super().__init__(images, size, per_image)
        self.reduced, self.smallest = reduced, smallest

    def __getitems__(self, indices: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        batch = super().__getitems__(indices)
        turned = torch.rand(len(batch), 1, 1, 1) < 0.5
        return torch.where(turned, batch.transpose(2, 3), batch)

    def _draw(self, image: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 size size"]:
        least = max(self.smallest, self.size / min(image.shape[1:]))
        if torch.rand(()) >= self.reduced or least >= 1:
            return super()._draw(image)
        side = int(self.size / (least + (1 - least) * float(torch.rand(()))))
        top, left = (int(torch.randint(one - side + 1, ())) for one in image.shape[1:])
        region = image[None, :, top : top + side, left : left + side].float()
        size = (self.size, self.size)
        small = F.interpolate(region, size, mode="bicubic", antialias=True, align_corners=False)
        return small[0].round().clamp(0, 255).to(torch.uint8)
