"""The batches of a training: the seed and its number decide what is in each, so that a training can go on anywhere."""

import os
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader, Dataset, DistributedSampler


def batches_done(trainer: Trainer) -> int:
    """The batches that a training has behind it, those before it was resumed included."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]


def global_seed() -> int:
    """What Lightning's `seed_everything` was last given; 0 before that."""
    return int(os.environ.get("PL_GLOBAL_SEED", 0))


def seed_draws(*key: int) -> None:
    """Lets the draws of Python, NumPy and PyTorch depend on the global seed and this key alone."""
    seed = int(np.random.SeedSequence([global_seed(), *key]).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class TrainingBatches(DistributedSampler):
    """The batches of an epoch in new order, from the one that the training has to do next.

    Each is a key, the process and the number of the batch since the start, and the indices of its images. A last batch
    that is not full is left out, unless it is the only one.

    Args:
        images: what the indices count.
        batch_size: images per batch, of this process.
        trainer: knows where the training is, and which share of the images is this process's. Without one, each
            iteration is a whole epoch, another one each time.
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


class TrainingLoader(DataLoader):
    """Hands out `TrainingBatches`; can go on in the middle of an epoch.

    Lightning knows such loaders by their state. This one needs none: what is done, the trainer knows.
    """

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""
