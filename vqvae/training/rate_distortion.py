"""Training of an autoencoder for many rates at once."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.image import PeakSignalNoiseRatio

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_grid, to_pixels, to_vectors
from vqvae.errors import ConfigError
from vqvae.quantizers import CodebookQuantizer
from vqvae.training.base import MakeOptimizer, MakeSchedule
from vqvae.training.images import ImageCompression
from vqvae.training.rate_model import Rates

PATIENCE = 0.95
"""The share of a level's mean distortion that stays at each batch."""

SCALE_EVERY = 20
"""Batches between two looks at how much larger errors become in the decoder."""


class RateDistortion(ImageCompression):
    """Trains an autoencoder whose indices are chosen by distortion + λ · bits, for several λ in turn.

    The images of a batch take turns in the levels. What is made small is the mean of the logarithms of the levels'
    distortions, so that no rate is trained at the expense of another: each distortion is divided by what it was lately.
    The bits have no gradient: codebooks, decoder, histograms and choices each do their best given the others.

    Measured are PSNR (dB) and bits per pixel, by the histograms, of each level; what is told as one number is the mean.

    Args:
        autoencoder: what to train; its quantiser is separable.
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
        finest, coarsest, levels, memory: the rates, as `Rates` has them.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        optimizer: MakeOptimizer,
        scheduler: MakeSchedule,
        finest: float,
        coarsest: float,
        levels: int,
        memory: float,
    ):
        super().__init__(autoencoder, optimizer, scheduler)
        quantizer = autoencoder.quantizer
        if not (isinstance(quantizer, CodebookQuantizer) and quantizer.num_indices == quantizer.pieces):
            raise ConfigError(f"{type(quantizer).__name__} cannot be trained for many rates: set quantizer=pvq")
        self.rates = Rates(autoencoder.quantizer, finest, coarsest, levels, memory)
        self.register_buffer("usual", torch.zeros(levels))
        self.usual: Float[Tensor, " L"]  # what the distortion of each level was lately; 0 before the first time
        self.level_psnr = nn.ModuleList(PeakSignalNoiseRatio(data_range=255.0) for _ in range(levels))
        self.level_bpp = nn.ModuleList(MeanMetric() for _ in range(levels))

    def training_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> dict[str, Tensor]:
        images = normalize(batch)
        latent = self.autoencoder.encoder(images)
        levels = self._levels(len(batch), self.global_step)
        quantized = [
            self.quantizer(to_vectors(one), self.rates.costs(level))
            for level, one in zip(levels, latent.float().split(1), strict=True)
        ]
        values = to_grid(torch.cat([one.values for one in quantized]), latent)
        decoded = self.autoencoder.decoder(values).float()
        distortions = (decoded - images).square().mean((1, 2, 3))
        with torch.no_grad():
            for level, one, distortion in zip(levels, quantized, distortions, strict=True):
                self.rates.count(level, one.indices)
                before = self.usual[level]
                self.usual[level] = torch.where(before > 0, torch.lerp(distortion, before, PATIENCE), distortion)
            if self.global_step % SCALE_EVERY == 0:
                self.rates.measure(latent, values, self.autoencoder.decoder(latent) - decoded)
        loss = (distortions / self.usual[levels]).mean() + torch.stack([one.loss for one in quantized]).mean()
        self.log("train/psnr", -10 * (distortions.detach() / 4).log10().mean(), prog_bar=True)
        self.log("train/scale", self.rates.scale)
        return {"loss": loss, "indices": torch.cat([one.indices for one in quantized])}

    @torch.inference_mode()
    def indices(self, batch: UInt8[Tensor, "n 3 H W"]) -> Int64[Tensor, "n h w M"]:
        latent = self.autoencoder.encoder(normalize(batch.to(self.device)))
        found = [
            self.quantizer.encode(to_vectors(one), self.rates.costs(level))
            for level, one in zip(self._levels(len(batch)), latent.split(1), strict=True)
        ]
        return torch.stack(found).unflatten(1, latent.shape[2:])

    def fit_codebooks(self, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        super().fit_codebooks(vectors, iterations)
        assert isinstance(self.quantizer, CodebookQuantizer)
        self.rates.fit(self.quantizer, vectors, iterations)

    def fitted(self) -> list[Tensor]:
        return [*super().fitted(), self.rates.counts]

    def reached(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        psnr, bpp = (
            [metrics[f"test/{name}_{level}"] for level in range(self.rates.levels)] for name in ("psnr", "bpp")
        )
        means = {"psnr_dataset": sum(psnr) / len(psnr), "ssim": metrics["test/ssim"]}
        return {**means, "levels": {"psnr_dataset": psnr, "bpp_by_histograms": bpp}}

    @property
    def qualities(self) -> dict[str, float]:
        return {"finest": float(self.rates.weight(0)), "coarsest": float(self.rates.weight(-1))}

    def _levels(self, number: int, start: int = 0) -> list[int]:
        return [(start + place) % self.rates.levels for place in range(number)]

    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        latent = self.autoencoder.encoder(normalize(batch))
        vectors = to_vectors(latent)
        for level, (psnr, bpp) in enumerate(zip(self.level_psnr, self.level_bpp, strict=True)):
            assert isinstance(psnr, Metric) and isinstance(bpp, Metric)
            indices = self.quantizer.encode(vectors, self.rates.costs(level))
            pixels = to_pixels(self.autoencoder.decoder(to_grid(self.quantizer.decode(indices), latent)))
            bits = self.rates.bits(level).gather(1, indices.T).sum()
            self._compare(pixels, batch, psnr, self.ssim)
            bpp(bits / batch[:, 0].numel(), weight=len(batch))
            self.log(f"{split}/psnr_{level}", psnr, on_epoch=True, on_step=False)
            self.log(f"{split}/bpp_{level}", bpp, on_epoch=True, on_step=False)
        self.log(f"{split}/ssim", self.ssim, on_epoch=True, on_step=False, prog_bar=True)
