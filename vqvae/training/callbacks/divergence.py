"""Stops a training whose loss or weights are not finite."""

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from vqvae.errors import VqvaeError

EVERY = 10  # steps between two checks of the loss, each of which synchronises with a GPU


class StopWhenDiverged(Callback):
    """Raises an error instead of continuing, or of writing a checkpoint, if values are not finite."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        if trainer.global_step % EVERY == 0 and isinstance(loss, torch.Tensor) and not loss.isfinite().all():
            raise _diverged(trainer, "the loss")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.check_weights(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check_weights(trainer, pl_module)

    def check_weights(self, trainer: Trainer, module: LightningModule) -> None:
        """Raises VqvaeError if a weight is not finite."""
        for name, parameter in module.named_parameters():
            if not parameter.isfinite().all():
                raise _diverged(trainer, name)


def _diverged(trainer: Trainer, what: str) -> VqvaeError:
    return VqvaeError(
        f"the training diverged: {what} is not finite at step {trainer.global_step}: set a smaller learning rate, "
        "as in optimizer.optimizer.lr=1e-4, and start again"
    )
