"""The base of all data modules: training, validation and test sets that return whole batches."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import UInt8
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vqvae.data.batches import SeededBatches, TrainingBatches, TrainingLoader
from vqvae.data.checks import check_least


class BatchSet(Dataset, ABC):
    """A set of images or vectors that returns whole batches."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of images or vectors."""

    @abstractmethod
    def __getitems__(self, indices: list[int]) -> Tensor:
        """The batch with these indices."""

    def __getitem__(self, index: int) -> Tensor:
        """A single image or vector."""
        return self.__getitems__([index])[0]


class BatchDataModule(LightningDataModule, ABC):
    """Batches for training, validation and test.

    The images of a training batch, their crops and flips depend on Lightning's global seed and on the number of the
    batch.

    Args:
        batch_size: images or vectors per batch.
        workers: processes that prepare batches; 0 prepares them in the training process.

    Raises:
        DataError: a number is too small.
    """

    train_set: BatchSet
    val_set: BatchSet
    test_set: BatchSet

    def __init__(self, batch_size: int, workers: int = 0):
        super().__init__()
        check_least(batch_size=(batch_size, 1), workers=(workers, 0))
        self.batch_size = batch_size
        self.workers = workers

    @abstractmethod
    def setup(self, stage: str | None = None) -> None:
        """Fills `train_set`, `val_set` and `test_set`.

        Raises:
            DataError: the data is missing.
        """

    def train_dataloader(self) -> DataLoader:
        batches = TrainingBatches(self.train_set, self.batch_size, self.trainer)
        return TrainingLoader(
            SeededBatches(self.train_set),
            sampler=batches,
            batch_size=None,  # `batches` are whole
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.val_set)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test_set)

    def _loader(self, batches: BatchSet) -> DataLoader:
        return DataLoader(
            batches,
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=_identity,  # `__getitems__` has made the batch
            persistent_workers=self.workers > 0,
        )


def _identity(batch: Any) -> Any:
    return batch


class ImageDataModule(BatchDataModule):
    """Batches of images of one size, (n, 3, H, W) uint8."""


class ImagesInMemory(BatchSet):
    """Images of one size, held in memory.

    Args:
        images: the images.
        flip: whether each image is flipped left to right at random.
    """

    def __init__(self, images: UInt8[Tensor, "n 3 H W"], flip: bool = False):
        self.images = images
        self.flip = flip

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> UInt8[Tensor, "n 3 H W"]:
        batch = self.images[indices]
        return flip_at_random(batch) if self.flip else batch


def flip_at_random(batch: UInt8[Tensor, "n 3 H W"]) -> UInt8[Tensor, "n 3 H W"]:
    """Flips each image left to right with probability 1/2."""
    mirrored = torch.rand(len(batch), 1, 1, 1) < 0.5
    return torch.where(mirrored, batch.flip(3), batch)
