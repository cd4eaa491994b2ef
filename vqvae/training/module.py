"""The LightningModule that trains an autoencoder."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from vqvae.autoencoder import AutoEncoder, normalize, to_pixels
from vqvae.data.batches import batches_done, seed_draws


class ImageCompression(LightningModule):
    """Trains an autoencoder for least mean squared error; measures PSNR (dB) and SSIM of 8-bit pixels.

    The PSNR is of the mean squared error over all images, not the mean of the images' PSNR.

    Args:
        autoencoder: what to train.
        optimizer: makes the optimiser from the parameters.
        scheduler: makes the learning-rate schedule from the optimiser and `total_steps`.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        scheduler: Callable[..., LRScheduler],
    ):
        super().__init__()
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.psnr = PeakSignalNoiseRatio(data_range=255.0)
        self.ssim = StructuralSimilarityIndexMeasure(data_range=255.0)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.make_optimizer(self.autoencoder.parameters())
        scheduler = self.make_scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_batch_start(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> None:
        """Lets noise depend on the process and the number of the batch, so that a resumed training draws the same."""
        seed_draws(self.global_rank, batches_done(self.trainer), 1)

    def training_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> dict[str, Tensor]:
        images = normalize(batch)
        reconstruction = self.autoencoder(images)
        distortion = F.mse_loss(reconstruction.images.float(), images)
        loss = distortion + reconstruction.quantized.loss
        self.log("train/mse", distortion, prog_bar=True)
        self.log("train/loss", loss)
        return {"loss": loss, "indices": reconstruction.quantized.indices}

    def validation_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        pixels = to_pixels(self.autoencoder(normalize(batch)).images)
        self.psnr(pixels.float(), batch.float())
        self.ssim(pixels.float(), batch.float())
        self.log(f"{split}/psnr", self.psnr, on_epoch=True, on_step=False, prog_bar=True)
        self.log(f"{split}/ssim", self.ssim, on_epoch=True, on_step=False, prog_bar=True)
