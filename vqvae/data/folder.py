"""Photographs in a folder."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.checks import check_least
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.data.inspection import UsableImages
from vqvae.errors import DataError
from vqvae.media.images import read_image


class ImageFolder(ImageDataModule):
    """Crops from the images in a folder and its subfolders.

    All images are decoded once before training, and those that cannot be used are logged and left out: damaged,
    transparent, animated or smaller than a crop, for instance.

    Of the others, every `hold_out_every`-th, in the order of names, is held out. Validation uses every other one of
    these, test the rest; a single one serves both.

    Args:
        root: the folder.
        batch_size: crops per batch.
        crop: height and width of the crops, in pixels.
        crops_per_image: crops drawn from each image in an epoch.
        hold_out_every: one image in this number is held out; at least 2.
        cache_mb: megabytes of decoded images to keep in memory.
        workers: processes that prepare batches.
    """

    def __init__(
        self,
        root: str | None,
        batch_size: int,
        crop: int,
        crops_per_image: int = 16,
        hold_out_every: int = 20,
        cache_mb: int = 2000,
        workers: int = 0,
    ):
        super().__init__(batch_size, workers)
        check_least(crop=(crop, 1), crops_per_image=(crops_per_image, 1), hold_out_every=(hold_out_every, 2))
        if root is None:
            raise DataError("no folder of images given: name it with data.root=FOLDER")
        self.root = Path(root)
        self.crop = crop
        self.crops_per_image = crops_per_image
        self.hold_out_every = hold_out_every
        self.cache_mb = cache_mb
        self._images = UsableImages(self.root, crop)

    def prepare_data(self) -> None:
        """Decodes all images once, and logs which are left out."""
        self._images.report()

    def setup(self, stage: str | None = None) -> None:
        usable = self._images.paths(least=2)
        held_out = usable[:: self.hold_out_every]
        trained = [path for path in usable if path not in set(held_out)]
        self.train_set = RandomCrops(ImageFiles(trained, self.cache_mb), self.crop, self.crops_per_image)
        self.val_set = self._fixed(held_out[::2])
        self.test_set = self._fixed(held_out[1::2] or held_out)

    def _fixed(self, paths: list[Path]) -> FixedCrops:
        return FixedCrops(ImageFiles(paths, self.cache_mb), self.crop, per_image=4)


class ImageFiles(Sequence[Tensor]):
    """Image files, decoded on access and cached in memory while there is room.

    Args:
        paths: the files.
        cache_mb: size of the cache, in megabytes.
    """

    def __init__(self, paths: list[Path], cache_mb: int):
        self.paths = paths
        self.room = cache_mb * 10**6
        self.cache: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 H W"]:  # type: ignore[override]
        if index in self.cache:
            return self.cache[index]
        image = torch.tensor(read_image(self.paths[index])).permute(2, 0, 1).contiguous()
        if image.numel() <= self.room:
            self.room -= image.numel()
            self.cache[index] = image
        return image
