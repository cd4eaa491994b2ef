"""Training of a quantiser alone."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vqvae.quantizers import Quantizer
from vqvae.training.base import MakeOptimizer, MakeSchedule, QuantizerTraining


class VectorCompression(QuantizerTraining):
    """Trains a quantiser for least mean squared error of the vectors, summed over their components.

    Args:
        quantizer: the quantiser to train.
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
    """

    def __init__(self, quantizer: Quantizer, optimizer: MakeOptimizer, scheduler: MakeSchedule):
        super().__init__(optimizer, scheduler)
        self._quantizer = quantizer

    @property
    def quantizer(self) -> Quantizer:
        return self._quantizer

    def vectors(self, batch: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        return batch

    def training_step(self, batch: Float[Tensor, "n D"], batch_index: int) -> dict[str, Tensor]:
        quantized = self.quantizer(batch)
        error = F.mse_loss(quantized.values, batch) * batch.shape[1]
        self.log("train/error", error, prog_bar=True)
        return {"loss": error + quantized.loss, "indices": quantized.indices}

    def validation_step(self, batch: Float[Tensor, "n D"], batch_index: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: Float[Tensor, "n D"], batch_index: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: Float[Tensor, "n D"]) -> None:
        error = (self.quantizer(batch).values.float() - batch.float()).square().sum(1).mean()
        self.log(f"{split}/error", error, on_epoch=True, on_step=False, prog_bar=True, batch_size=len(batch))
