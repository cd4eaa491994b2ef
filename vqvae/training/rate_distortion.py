"""Training of a variable-rate autoencoder by entropy-constrained quantisation."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_grid, to_pixels, to_vectors
from vqvae.errors import ConfigError
from vqvae.quantizers import CodebookQuantizer
from vqvae.training.base import MakeOptimizer, MakeSchedule
from vqvae.training.multi_rate import CurvePoint, MultiRateCompression
from vqvae.training.rate_model import Rates

SCALE_EVERY = 20
"""Batches between two measurements of the ratio of errors in pixels and in vectors."""


class RateDistortion(MultiRateCompression):
    """Trains an autoencoder whose indices minimise distortion + λ · bits, for several λ.

    The bits have no gradient: codebooks, decoder, histograms and indices are each optimised given the others.

    Args:
        autoencoder: the network to train, with product VQ.
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
        super().__init__(autoencoder, optimizer, scheduler, levels)
        quantizer = autoencoder.quantizer
        if not (isinstance(quantizer, CodebookQuantizer) and quantizer.num_indices == quantizer.pieces):
            raise ConfigError(
                f"{type(quantizer).__name__} cannot be trained as a variable-rate model: set quantizer=pvq"
            )
        self.rates = Rates(quantizer, finest, coarsest, levels, memory)

    def training_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> dict[str, Tensor]:
        images = normalize(batch)
        latent = self.autoencoder.encoder(images)
        levels = self.levels_of(len(batch), self.global_step)
        quantized = [
            self.quantizer(to_vectors(one), self.rates.costs(level))
            for level, one in zip(levels, latent.float().split(1), strict=True)
        ]
        values = to_grid(torch.cat([one.values for one in quantized]), latent)
        decoded = self.autoencoder.decoder(values).float()
        distortions = (decoded - images).square().mean((1, 2, 3))
        with torch.no_grad():
            for level, one in zip(levels, quantized, strict=True):
                self.rates.count(level, one.indices)
            if self.global_step % SCALE_EVERY == 0:
                self.rates.measure(latent, values, self.autoencoder.decoder(latent) - decoded)
        running = self.update_running(levels, distortions)
        loss = (distortions / running).mean() + torch.stack([one.loss for one in quantized]).mean()
        self.log("train/psnr", -10 * (distortions.detach() / 4).log10().mean(), prog_bar=True)
        self.log("train/scale", self.rates.scale)
        return {"loss": loss, "indices": torch.cat([one.indices for one in quantized])}

    @torch.inference_mode()
    def indices(self, batch: UInt8[Tensor, "n 3 H W"]) -> Int64[Tensor, "n h w M"]:
        latent = self.autoencoder.encoder(normalize(batch.to(self.device)))
        found = [
            self.quantizer.encode(to_vectors(one), self.rates.costs(level))
            for level, one in zip(self.levels_of(len(batch)), latent.split(1), strict=True)
        ]
        return torch.stack(found).unflatten(1, latent.shape[2:])

    def fit_codebooks(self, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        super().fit_codebooks(vectors, iterations)
        assert isinstance(self.quantizer, CodebookQuantizer)
        self.rates.fit(self.quantizer, vectors, iterations)

    def fitted(self) -> list[Tensor]:
        return [*super().fitted(), self.rates.counts]

    @property
    def qualities(self) -> dict[str, float]:
        return {"finest": float(self.rates.weight(0)), "coarsest": float(self.rates.weight(-1))}

    def curve(self, batch: UInt8[Tensor, "n 3 H W"]) -> Iterator[CurvePoint]:
        latent = self.autoencoder.encoder(normalize(batch))
        vectors = to_vectors(latent)
        for level in range(self.levels):
            indices = self.quantizer.encode(vectors, self.rates.costs(level))
            decoded = self.autoencoder.decoder(to_grid(self.quantizer.decode(indices), latent))
            yield CurvePoint(to_pixels(decoded), self.rates.information(level, indices))
