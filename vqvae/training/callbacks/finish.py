"""A change of estimator during the training."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from vqvae.quantizers import Estimator
from vqvae.training.base import QuantizerTraining


class FinishWith(Callback):
    """Changes the estimator after the first part of the training.

    Noise substitution quickly brings all codewords into use, but its noise is isotropic while the encoder's vectors
    occupy few of their dimensions, so the decoder learns to expect less error than it will get. An estimator that
    passes the quantised values corrects that.

    Args:
        estimator: replaces the previous one.
        start: fraction of the training after which it does.
    """

    def __init__(self, estimator: Estimator, start: float):
        self.estimator = estimator
        self.start = start

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        assert isinstance(pl_module, QuantizerTraining)
        quantizer = pl_module.quantizer
        due = trainer.global_step >= self.start * float(trainer.estimated_stepping_batches)
        if due and quantizer.estimator is not self.estimator:
            quantizer.set_estimator(self.estimator)
