"""Averaged weights."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class AverageWeights(WeightAveraging):
    """An exponential moving average of all weights, used for validation and as the result of the training.

    The decay grows from 0 to `decay` over the first steps, so that the initial weights are soon forgotten.

    Args:
        decay: of the average, per step.
    """

    def __init__(self, decay: float):
        def average(averaged: Tensor, current: Tensor, number: Tensor | int) -> Tensor:
            return averaged.lerp(current, 1 - min(decay, (1 + int(number)) / (10 + int(number))))

        super().__init__(avg_fn=average)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_train_end(trainer, pl_module)  # not called when a training is resumed after its last step
