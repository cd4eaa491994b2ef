"""Photographs in two folders: to train with, and to validate with."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.checks import check_least
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.data.folder import ImageFiles
from vqvae.data.inspection import UsableImages
from vqvae.errors import ConfigError, DataError


class Photographs(ImageDataModule):
    """Crops of photographs, some of them downscaled, transposed and flipped at random.

    All images are decoded once before training, and those that cannot be used are logged and left out, as by
    `ImageFolder`.

    Args:
        root: a folder with `train` and `validation`.
        batch_size: crops per batch.
        crop: height and width of the crops, in pixels.
        reduced: fraction of the crops that come from a downscaled image, without traces of earlier compression.
        min_scale: the smallest scale of these.
        crops_per_image: crops drawn from each image in an epoch.
        cache_mb: megabytes of decoded images to keep in memory.
        workers: processes that prepare batches.
    """

    def __init__(
        self,
        root: str | None,
        batch_size: int,
        crop: int,
        reduced: float,
        min_scale: float,
        crops_per_image: int = 16,
        cache_mb: int = 2000,
        workers: int = 0,
    ):
        super().__init__(batch_size, workers)
        check_least(crop=(crop, 1), crops_per_image=(crops_per_image, 1))
        if not (0 <= reduced <= 1 and 0 < min_scale <= 1):
            raise ConfigError(f"reduced={reduced} and min_scale={min_scale} must be from 0 to 1, min_scale above 0")
        if root is None:
            raise DataError("no folder of photographs given: name it with data.root=FOLDER")
        self.root = Path(root)
        self.crop = crop
        self.reduced, self.min_scale = reduced, min_scale
        self.crops_per_image, self.cache_mb = crops_per_image, cache_mb
        self._parts = [UsableImages(self.root / part, crop) for part in ("train", "validation")]

    def prepare_data(self) -> None:
        """Decodes all images once, and logs which are left out."""
        for part in self._parts:
            part.report()

    def setup(self, stage: str | None = None) -> None:
        train, validation = (ImageFiles(part.paths(least=1), self.cache_mb) for part in self._parts)
        self.train_set = AugmentedCrops(train, self.crop, self.crops_per_image, self.reduced, self.min_scale)
        self.val_set = self.test_set = FixedCrops(validation, self.crop, per_image=4)


class AugmentedCrops(RandomCrops):
    """Crops from random positions, some of downscaled images, flipped and transposed at random.

    Args:
        images, size, per_image: as in `RandomCrops`.
        reduced: fraction of the crops that come from a downscaled image.
        min_scale: the smallest scale of these.
    """

    def __init__(
        self, images: Sequence[UInt8[Tensor, "3 H W"]], size: int, per_image: int, reduced: float, min_scale: float
    ):
        super().__init__(images, size, per_image)
        self.reduced, self.min_scale = reduced, min_scale

    def __getitems__(self, indices: list[int]) -> UInt8[Tensor, "n 3 size size"]:
        batch = super().__getitems__(indices)
        turned = torch.rand(len(batch), 1, 1, 1) < 0.5
        return torch.where(turned, batch.transpose(2, 3), batch)

    def _draw(self, image: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 size size"]:
        smallest = max(self.min_scale, self.size / min(image.shape[1:]))
        if torch.rand(()) >= self.reduced or smallest >= 1:
            return super()._draw(image)
        side = int(self.size / (smallest + (1 - smallest) * float(torch.rand(()))))
        top, left = (int(torch.randint(length - side + 1, ())) for length in image.shape[1:])
        region = image[None, :, top : top + side, left : left + side].float()
        small = F.interpolate(region, (self.size, self.size), mode="bicubic", antialias=True)
        return small[0].round().clamp(0, 255).to(torch.uint8)
