"""Trainings that end at a chosen moment."""

import os
import signal
from typing import Any

from pytorch_lightning import Callback, Trainer


class Kill(Callback):
    """Kills the process after so many steps: when the next batch begins, or when there is none.

    Args:
        step: the steps.
        validating: whether it is rather in the validation after them.
    """

    def __init__(self, step: int, validating: bool = False):
        self.step = step
        self.validating = validating

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not self.validating:
            self.kill()

    def on_validation_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and self.validating:
            self.kill()

    def on_fit_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            self.kill()

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Killed(Exception):
    """Stands in for the signal where the process has to live on."""


class Raise(Kill):
    """Ends the training, not the process."""

    def kill(self) -> None:
        raise Killed
