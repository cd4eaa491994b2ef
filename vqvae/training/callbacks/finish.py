"""An estimator for the last stretch of the training."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from vqvae.quantizers import Estimator


class FinishWith(Callback):
    """Changes the estimator when most of the training is done.

    Noise substitution trains encoder and codebooks best, but its decoder never sees a codeword. A last stretch with
    an estimator that passes the quantised values on lets the decoder learn what it will really be given.

    Args:
        estimator: takes over from the one before.
        start: the share of the training after which it does.
    """

    def __init__(self, estimator: Estimator, start: float):
        self.estimator = estimator
        self.start = start

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step >= self.start * float(trainer.estimated_stepping_batches):
            pl_module.autoencoder.quantizer.estimator = self.estimator
