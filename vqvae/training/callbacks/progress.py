"""The progress bar of a training."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """Lightning's bar, with the step and the number of steps in place of the logger's version."""

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return {"step": f"{trainer.global_step}/{trainer.max_steps}", **metrics}

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch}"
