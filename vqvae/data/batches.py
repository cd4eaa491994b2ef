"""The batches of a training, determined by seed and batch number, so that a training can be resumed at any batch."""

import os
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler


def batches_done(trainer: Trainer) -> int:
    """The number of batches that a training has done, including those before it was resumed."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]


def global_seed() -> int:
    """The last seed of Lightning's `seed_everything`; 0 before that."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def seed_draws(*key: int) -> None:
    """Seeds the global generators of Python, NumPy and PyTorch by the global seed and this key."""
    seed = int(np.random.SeedSequence([global_seed(), *key]).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class TrainingBatches(DistributedSampler):
    """The shuffled batches of an epoch, from the next one of the training on.

    Each is a key, (process, number of the batch since the start), and the indices of its images. An incomplete last
    batch is dropped, unless it is the only one.

    Args:
        images: the data set.
        batch_size: images per batch, of this process.
        trainer: knows the progress of the training, and the share of this process. Without one, each iteration is a
            whole epoch, with another order each time.
    """

    def __init__(self, images: Dataset, batch_size: int, trainer: Trainer | None = None):
        processes, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        super().__init__(images, processes, rank, seed=global_seed())
        self.batch_size = batch_size
        self.trainer = trainer

    def __len__(self) -> int:
        return max(1, self.num_samples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        done = batches_done(self.trainer) if self.trainer else (self.epoch + 1) * len(self)
        epoch, first = divmod(done, len(self))
        self.set_epoch(epoch)
        order = list(super().__iter__())
        for place in range(first, len(self)):
            key = (self.rank, epoch * len(self) + place)
            yield key, order[place * self.batch_size : (place + 1) * self.batch_size]


class SeededBatches(Dataset):
    """The batches of `TrainingBatches` as items; their random draws depend on their keys alone, in any process.

    Args:
        images: returns a batch by `__getitems__`.
    """

    def __init__(self, images: Any):
        self.images = images

    def __getitem__(self, batch: tuple[tuple[int, int], list[int]]) -> Tensor:
        key, indices = batch
        with isolate_rng(include_cuda=False):
            seed_draws(*key, 0)
            return self.images.__getitems__(indices)


class TrainingLoader(DataLoader):
    """Loads `TrainingBatches`; can be resumed within an epoch.

    Lightning recognises such loaders by their state. This one needs none: the trainer knows the progress.
    """

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""
