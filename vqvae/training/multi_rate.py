"""The base of trainings of variable-rate models."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.image import PeakSignalNoiseRatio

from vqvae.codec.autoencoder import AutoEncoder
from vqvae.training.base import MakeOptimizer, MakeSchedule
from vqvae.training.images import ImageCompression


class CurvePoint(NamedTuple):
    """Images coded at one rate, a point of the R-D curve.

    Attributes:
        pixels: the decoded images.
        bits: of all their indices.
    """

    pixels: UInt8[Tensor, "n 3 H W"]
    bits: Float[Tensor, ""]


class MultiRateCompression(ImageCompression):
    """Trains for several rates, the levels, which the images of a batch alternate between.

    Distortions are divided by the running distortion of their level, so that the mean of their logarithms is minimised
    and no rate is trained at the expense of another.

    PSNR (dB) and bits per pixel are measured at each level; single figures are means over levels.

    Args:
        autoencoder: the network to train.
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
        levels: number of rates.
    """

    distortion_decay: ClassVar[float] = 0.95
    """Decay of the running distortion per batch."""

    def __init__(self, autoencoder: AutoEncoder, optimizer: MakeOptimizer, scheduler: MakeSchedule, levels: int):
        super().__init__(autoencoder, optimizer, scheduler)
        self.levels = levels
        self.register_buffer("running_distortion", torch.zeros(levels))
        self.running_distortion: Float[Tensor, " L"]  # 0 before a level's first image
        self.level_psnr = nn.ModuleList(PeakSignalNoiseRatio(data_range=255.0) for _ in range(levels))
        self.level_bpp = nn.ModuleList(MeanMetric() for _ in range(levels))

    @abstractmethod
    def curve(self, batch: UInt8[Tensor, "n 3 H W"]) -> Iterator[CurvePoint]:
        """Codes all images at each level in turn."""

    def levels_of(self, number: int, start: int = 0) -> list[int]:
        """The levels of the images of a batch: spread over all levels, and shifted from batch to batch.

        Args:
            number: number of images.
            start: number of the batch.
        """
        step = max(1, self.levels // number)
        return [(start + place * step) % self.levels for place in range(number)]

    @torch.no_grad()
    def update_running(self, levels: list[int], distortions: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Updates the running distortions and returns that of each image's level."""
        for level, distortion in zip(levels, distortions, strict=True):
            before = self.running_distortion[level]
            decayed = torch.lerp(distortion, before, self.distortion_decay)
            self.running_distortion[level] = torch.where(before > 0, decayed, distortion)
        return self.running_distortion[levels]

    def reached(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        psnr, bpp = ([metrics[f"test/{name}_{level}"] for level in range(self.levels)] for name in ("psnr", "bpp"))
        means = {"psnr_dataset": sum(psnr) / len(psnr), "ssim": metrics["test/ssim"]}
        return {**means, "levels": {"psnr_dataset": psnr, "bpp_by_histograms": bpp}}

    @torch.no_grad()
    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        metrics = zip(self.level_psnr, self.level_bpp, self.curve(batch), strict=True)
        for level, (psnr, bpp, point) in enumerate(metrics):
            assert isinstance(psnr, Metric) and isinstance(bpp, Metric)
            self._compare(point.pixels, batch, psnr, self.ssim)
            bpp(point.bits / batch[:, 0].numel(), weight=len(batch))
            self.log(f"{split}/psnr_{level}", psnr, on_epoch=True, on_step=False)
            self.log(f"{split}/bpp_{level}", bpp, on_epoch=True, on_step=False)
        self.log(f"{split}/ssim", self.ssim, on_epoch=True, on_step=False, prog_bar=True)
