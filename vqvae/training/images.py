"""Training of a quantiser between the networks of an autoencoder."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_pixels, to_vectors
from vqvae.entropy import EntropyModel
from vqvae.entropy.base import Track
from vqvae.quantizers import Quantizer
from vqvae.training.base import MakeOptimizer, MakeSchedule, QuantizerTraining
from vqvae.training.entropy import Fitted, indices_of, payload_bpp

Batches = Iterable[UInt8[Tensor, "_ 3 H W"]]


class ImageCompression(QuantizerTraining):
    """Trains an autoencoder for least mean squared error; measures PSNR (dB) and SSIM of 8-bit pixels.

    The PSNR is of the mean squared error over all images, not the mean of the images' PSNR.

    Args:
        autoencoder: the network to train.
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
    """

    def __init__(self, autoencoder: AutoEncoder, optimizer: MakeOptimizer, scheduler: MakeSchedule):
        super().__init__(optimizer, scheduler)
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.psnr = PeakSignalNoiseRatio(data_range=255.0)
        self.ssim = StructuralSimilarityIndexMeasure(data_range=255.0)

    @property
    def quantizer(self) -> Quantizer:
        return self.autoencoder.quantizer

    def vectors(self, batch: UInt8[Tensor, "n 3 H W"]) -> Float[Tensor, "v D"]:
        return to_vectors(self.autoencoder.encoder(normalize(batch))).float()

    def training_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> dict[str, Tensor]:
        images = normalize(batch)
        reconstruction = self.autoencoder(images)
        distortion = F.mse_loss(reconstruction.images.float(), images)
        loss = distortion + reconstruction.quantized.loss
        self.log("train/mse", distortion, prog_bar=True)
        self.log("train/loss", loss)
        return {"loss": loss, "indices": reconstruction.quantized.indices}

    @torch.inference_mode()
    def indices(self, batch: UInt8[Tensor, "n 3 H W"]) -> Int64[Tensor, "n h w M"]:
        """The indices that an entropy model is fitted to."""
        return self.autoencoder.encode(normalize(batch.to(self.device)))

    def fit_entropy_model(
        self, entropy_model: EntropyModel, train: Batches, test: Batches, track: Track = iter
    ) -> Fitted:
        """Fits an entropy model to the indices of training images, and measures it on those of test images.

        Args:
            entropy_model: one without tables is measured alone.
            train: images to fit to, all of one size; gone through more than once, perhaps.
            test: images to measure on, of one size.
            track: iterates over batches and training steps, and may show progress.
        """
        if not list(entropy_model.buffers()):
            return Fitted(self.autoencoder.bits_per_pixel)
        contributions = self.quantizer.contributions().cpu()
        entropy_model.fit(indices_of(self.indices, track(train)), contributions, track)
        return Fitted(payload_bpp(entropy_model, indices_of(self.indices, test), self.autoencoder.stride))

    def reached(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        """The test metrics that are reported and recorded."""
        return {"psnr_dataset": metrics["test/psnr"], "ssim": metrics["test/ssim"]}

    @property
    def qualities(self) -> dict[str, Any]:
        """The range of λ that the model file stores; empty for a single-rate model."""
        return {}

    def validation_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        pixels = to_pixels(self.autoencoder(normalize(batch)).images)
        self._compare(pixels, batch, self.psnr, self.ssim)
        self.log(f"{split}/psnr", self.psnr, on_epoch=True, on_step=False, prog_bar=True)
        self.log(f"{split}/ssim", self.ssim, on_epoch=True, on_step=False, prog_bar=True)

    def _compare(
        self, decoded: UInt8[Tensor, "n 3 H W"], originals: UInt8[Tensor, "n 3 H W"], *metrics: Metric
    ) -> None:
        """Updates image metrics in float32, at any precision of the training: half precision is too coarse for SSIM."""
        with torch.autocast(decoded.device.type, enabled=False):
            for metric in metrics:
                metric(decoded.float(), originals.float())
