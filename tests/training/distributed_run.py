"""Small trainings on as many processes as asked for; each process writes what its codebooks became.

The last one goes on from a checkpoint of the one before.

Run by test_distributed.py: a script of its own, because each process starts by importing it anew.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import ConstantLR
from torch.utils.data import DataLoader

from tests.conftest import TINY_MODEL
from vqvae.codec.autoencoder import normalize, to_vectors
from vqvae.data.base import ImageDataModule, ImagesInMemory
from vqvae.models.build import build_autoencoder
from vqvae.quantizers import NSVQ, MovingAverage, StraightThrough
from vqvae.training import ImageCompression
from vqvae.training.callbacks import InitializeCodebooks, MaintainCodebooks

ESTIMATORS = {"ste": StraightThrough, "ema": MovingAverage, "nsvq": NSVQ}
JOINT_BATCH = 16


class Collapse(Callback):
    """Pushes half of the codewords out of reach, once."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.global_step == 0:
            pl_module.autoencoder.quantizer.codebooks.data[:, ::2] += 100


class Record(Callback):
    """Writes the codebooks and what the last look at them counted."""

    def __init__(self, folder: Path):
        self.folder = folder

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        logged = {name: float(value) for name, value in trainer.logged_metrics.items()}
        codebooks = pl_module.autoencoder.quantizer.codebooks.detach()
        torch.save({"codebooks": codebooks, "logged": logged}, self.folder / f"{trainer.global_rank}.pt")


def constant(optimizer: torch.optim.Optimizer, total_steps: int) -> ConstantLR:
    return ConstantLR(optimizer, factor=1.0)


def whole(batch: torch.Tensor) -> torch.Tensor:
    return batch


class InOrder(LightningDataModule):
    """The images in their order, dealt out in turn: together, the processes' batches are the batch of one alone."""

    def __init__(self, images: ImagesInMemory):
        super().__init__()
        self.images = images

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        assert self.trainer is not None
        dealt = range(self.trainer.global_rank, len(self.images), self.trainer.world_size)
        size = JOINT_BATCH // self.trainer.world_size
        return DataLoader(self.images, size, sampler=dealt, collate_fn=whole)  # type: ignore[arg-type]


class Shuffled(ImageDataModule):
    """The images as any training has them."""

    def __init__(self, images: ImagesInMemory, processes: int):
        super().__init__(batch_size=JOINT_BATCH // processes)
        self.images = images

    def setup(self, stage: str | None = None) -> None:
        self.train_set = self.val_set = self.test_set = self.images


def train(processes: int, estimator: str, initialize: bool, folder: Path, checkpoint: Path | None = None) -> None:
    folder.mkdir(parents=True)
    seed_everything(0, verbose=False)
    smooth = torch.nn.functional.interpolate(torch.rand(64, 3, 5, 5), size=(16, 16), mode="bilinear")
    images = ImagesInMemory((255 * smooth).to(torch.uint8))
    autoencoder = build_autoencoder(TINY_MODEL)
    with torch.no_grad():
        autoencoder.quantizer.fit(to_vectors(autoencoder.encoder(normalize(images.images))))
    autoencoder.quantizer.set_estimator(ESTIMATORS[estimator]())
    # Plain gradients: Adam would blow the rounding of the smallest ones up to whole steps
    module = ImageCompression(autoencoder, partial(torch.optim.SGD, lr=1.0), constant)
    maintain = MaintainCodebooks(period=4, threshold=0.05, until=1.0, alarm=0.1)
    trainer = Trainer(
        max_steps=8,
        use_distributed_sampler=initialize,
        accelerator="cpu",
        devices=processes,
        strategy="ddp_spawn" if processes > 1 else "auto",
        callbacks=[
            *([InitializeCodebooks(500, 5)] if initialize else []),
            Collapse(),
            maintain,
            Record(folder),
            ModelCheckpoint(folder, "last", every_n_train_steps=6),
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = Shuffled(images, processes) if initialize else InOrder(images)
    trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)


if __name__ == "__main__":
    processes, folder = int(sys.argv[1]), Path(sys.argv[2])
    for estimator in ("ste", "ema"):
        train(processes, estimator, False, folder / estimator)
    train(processes, "nsvq", True, folder / "initialized")
    train(processes, "nsvq", True, folder / "resumed", folder / "initialized" / "last.ckpt")
