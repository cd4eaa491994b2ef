"""The base of all trainings: a quantiser, the vectors that it is given, an optimiser."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from jaxtyping import Float
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from vqvae.data.batches import batches_done, seed_draws
from vqvae.quantizers import Quantizer

MakeOptimizer = Callable[[Iterable[Tensor]], Optimizer]  # from the parameters
MakeSchedule = Callable[..., LRScheduler]  # from the optimiser and `total_steps`


class QuantizerTraining(LightningModule, ABC):
    """Trains a quantiser, alone or within a network. A step returns its `loss` and the chosen `indices`.

    Args:
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
    """

    def __init__(self, optimizer: MakeOptimizer, scheduler: MakeSchedule):
        super().__init__()
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler

    @property
    @abstractmethod
    def quantizer(self) -> Quantizer:
        """The quantiser."""

    @abstractmethod
    def vectors(self, batch: Tensor) -> Float[Tensor, "n D"]:
        """The vectors of a batch that the quantiser is given."""

    def fit_codebooks(self, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        """Initialises the codebooks by the quantiser's `fit`."""
        self.quantizer.fit(vectors, iterations)

    def fitted(self) -> list[Tensor]:
        """The tensors that `fit_codebooks` sets."""
        return list(self.quantizer.parameters())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.make_optimizer(self.parameters())
        scheduler = self.make_scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_batch_start(self, batch: Any, batch_index: int) -> None:
        """Seeds the noise by process and batch number, so that a resumed training draws the same."""
        seed_draws(self.global_rank, batches_done(self.trainer), 1)
        self.quantizer.advance(self.global_step / float(self.trainer.estimated_stepping_batches))
