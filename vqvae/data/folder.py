"""Photographs in a folder."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.checks import check_least
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.errors import DataError
from vqvae.media.images import READABLE, read_image


class ImageFolder(ImageDataModule):
    """Crops from the images in a folder and its subfolders.

    Every `hold_out_every`-th image, by name, is kept out of training: validation and test measure on crops of these.

    Args:
        root: the folder.
        batch_size: crops per batch.
        crop: height and width of the crops, in pixels.
        crops_per_image: crops drawn from each image in an epoch.
        hold_out_every: one image of this number is held out, so that at least half are trained on.
        cache_mb: decoded images are kept in memory up to so many megabytes.
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

    def setup(self, stage: str | None = None) -> None:
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in READABLE)
        if len(paths) < 2:
            raise DataError(f"{self.root} holds {len(paths)} images, but at least 2 are needed: name another data.root")
        check_sizes(paths, self.crop)
        held_out = paths[:: self.hold_out_every]
        trained = [path for path in paths if path not in set(held_out)]
        self.train_set = RandomCrops(ImageFiles(trained, self.cache_mb), self.crop, self.crops_per_image)
        self.val_set = self.test_set = FixedCrops(ImageFiles(held_out, self.cache_mb), self.crop, per_image=4)


def check_sizes(paths: list[Path], smallest: int) -> None:
    """Raises DataError unless each image is at least `smallest` pixels high and wide, by its header."""
    for path in paths:
        try:
            with Image.open(path) as image:
                width, height = image.size
        except OSError as error:
            raise DataError(f"{path}: not an image, or damaged ({error}): remove it") from None
        if min(width, height) < smallest:
            raise DataError(
                f"{path} is {width}×{height}, smaller than the crops of {smallest}: "
                f"remove it, or set a smaller data.crop"
            )


class ImageFiles(Sequence[Tensor]):
    """Image files, decoded when asked for and kept in memory while there is room.

    Args:
        paths: the files.
        cache_mb: room for decoded images, in megabytes.
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
