"""Training of one autoencoder for all rates, with a gradient of the rate."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, Integer, UInt8
from torch import Tensor

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_grid, to_pixels, to_vectors
from vqvae.codec.rate_code import rate_of
from vqvae.codec.rate_control import IndexChooser, LambdaRange, TypicalBits
from vqvae.entropy import EntropyModel, LayeredContext
from vqvae.entropy.base import Track
from vqvae.errors import ConfigError
from vqvae.quantizers import ProductResidualVQ
from vqvae.training.base import MakeOptimizer, MakeSchedule
from vqvae.training.callbacks.maintenance import MaintainCodebooks
from vqvae.training.entropy import Fitted
from vqvae.training.images import Batches
from vqvae.training.multi_rate import CurvePoint, MultiRateCompression
from vqvae.training.rate_choice import RateModel


class CodedAtRates(NamedTuple):
    """The indices of images of one size, each coded at a level.

    Attributes:
        indices: K in the layers that an image does not have.
        levels: of each image.
        number: of levels.
    """

    indices: Integer[np.ndarray, "n h w M"]
    levels: Int64[np.ndarray, " n"]
    number: int

    @property
    def rates(self) -> Int64[np.ndarray, " n"]:
        """Of each image, from 0 to 255."""
        return np.array([rate_of(100 * level / (self.number - 1)) for level in self.levels])

    def bits_per_vector(self, entropy_model: LayeredContext) -> float:
        """What the indices take under the model."""
        total = 0.0
        for indices, rate in zip(self.indices, self.rates, strict=True):
            present = indices[0, 0] < 1 << entropy_model.index_bits
            total += float(entropy_model.at_rate(int(rate)).bits(indices[None, ..., present].astype(np.int64))[0])
        return total / self.indices[..., 0].size


class VariableRate(MultiRateCompression):
    """Trains an autoencoder whose indices are chosen by distortion + λ · bits, for several λ in turn.

    Minimised is (D + λR) / D', where D' is the level's running distortion: the gradient of log D + λR / D. The rate's
    gradient reaches the encoder through a soft choice of codewords.

    Args:
        autoencoder: what to train.
        optimizer, scheduler: make optimiser and learning-rate schedule.
        lambda_min, lambda_max, levels, stage_lambdas, decay: the rates, as `RateModel` has them.
    """

    distortion_decay = 0.98

    def __init__(
        self,
        autoencoder: AutoEncoder,
        optimizer: MakeOptimizer,
        scheduler: MakeSchedule,
        lambda_min: float,
        lambda_max: float,
        levels: int,
        stage_lambdas: Sequence[float],
        decay: float,
    ):
        super().__init__(autoencoder, optimizer, scheduler, levels)
        if not isinstance(autoencoder.quantizer, ProductResidualVQ):
            name = type(autoencoder.quantizer).__name__
            raise ConfigError(f"{name} cannot be trained for all rates at once: set quantizer=prvq")
        if not (autoencoder.encoder.takes_rate and autoencoder.decoder.takes_rate):
            raise ConfigError("these networks do not take a rate: set network=variable_rate")
        self.rates = RateModel(autoencoder.quantizer, lambda_min, lambda_max, levels, stage_lambdas, decay)

    def on_fit_start(self) -> None:
        if any(isinstance(callback, MaintainCodebooks) for callback in self.trainer.callbacks):  # type: ignore[attr-defined]
            raise ConfigError("levels use different stages, so usage cannot be counted: set callbacks.maintain=null")

    @property
    def product_residual(self) -> ProductResidualVQ:
        """The quantiser."""
        assert isinstance(self.autoencoder.quantizer, ProductResidualVQ)
        return self.autoencoder.quantizer

    def vectors(self, batch: UInt8[Tensor, "n 3 H W"]) -> Float[Tensor, "v D"]:
        rate = torch.linspace(0, 1, len(batch), device=batch.device)
        return to_vectors(self.autoencoder.encoder(normalize(batch), rate)).float()

    def training_step(self, batch: UInt8[Tensor, "n 3 H W"], batch_index: int) -> dict[str, Tensor]:
        images = normalize(batch)
        levels = self.levels_of(len(batch), self.global_step)
        rate = self._rate(levels)
        latent = self.autoencoder.encoder(images, rate).float()
        vectors = latent.permute(0, 2, 3, 1).flatten(1, 2)
        quantizer = self.product_residual
        chosen = [self.rates.choose(quantizer, one.detach(), level) for one, level in zip(vectors, levels, strict=True)]
        with torch.autocast(images.device.type, enabled=False):
            quantized = torch.cat([quantizer.decode(one.indices) for one in chosen])
            values, loss = quantizer.estimator(vectors.flatten(0, 1), quantized)
        grid = to_grid(values, latent)
        decoded = self.autoencoder.decoder(grid, rate).float()
        distortions = (decoded - images).square().mean((1, 2, 3))
        gradients = torch.stack([one.gradient for one in chosen])
        bits = (vectors * gradients).sum((1, 2)) / batch[0, 0].numel()  # its gradient counts, not its value
        for level, one in zip(levels, chosen, strict=True):
            self.rates.count(level, one.indices)
        lagrangian = distortions + self.rates.lambdas[levels] / 3 * (bits - bits.detach())
        loss = (lagrangian / self.update_running(levels, distortions)).mean() + loss
        self.log("train/psnr", -10 * (distortions.detach() / 4).log10().mean(), prog_bar=True)
        return {"loss": loss, "indices": chosen[-1].indices}

    def fit_codebooks(self, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        self.rates.fit(self.product_residual, vectors, iterations)

    def fitted(self) -> list[Tensor]:
        return [*super().fitted(), self.rates.counts]

    @torch.inference_mode()
    def indices(self, batch: UInt8[Tensor, "n 3 H W"]) -> Int64[Tensor, "n h w M"]:
        """The nearest at all stages, as the codec takes them with an entropy model without layers."""
        images = normalize(batch.to(self.device))
        latent = self.autoencoder.encoder(images, self._rate(self.levels_of(len(batch)))).float()
        return self.quantizer.encode(to_vectors(latent)).view(len(latent), *latent.shape[2:], -1)

    def fit_entropy_model(
        self, entropy_model: EntropyModel, train: Batches, test: Batches, track: Track = iter
    ) -> Fitted:
        """Twice: on indices chosen by histograms, and then on those that the codec chooses by what was fitted first."""
        if not isinstance(entropy_model, LayeredContext):
            return super().fit_entropy_model(entropy_model, train, test, track)
        contributions, typical = self.quantizer.contributions().cpu(), None
        for _ in range(2):
            coded = self._code(track(train), entropy_model, typical)
            entropy_model.fit(coded.indices, contributions, track, coded.rates)
            typical = self._typical_bits(coded)
        coded = self._code(test, entropy_model, typical)
        return Fitted(coded.bits_per_vector(entropy_model) / self.autoencoder.stride**2, typical)

    @torch.inference_mode()
    def _code(self, batches: Batches, model: LayeredContext, typical: TypicalBits | None) -> CodedAtRates:
        """Codes images at the levels in turn: by histograms, or with typical bits as the codec does."""
        indices, levels = list[Int64[np.ndarray, "h w M"]](), list[int]()
        quantizer = self.product_residual
        chooser = IndexChooser(quantizer, model, LambdaRange.from_config(self.qualities), typical)
        for image in (image for batch in batches for image in normalize(batch.to(self.device))):
            level = len(levels) % self.levels
            rate = level / (self.levels - 1)
            latent = self.autoencoder.analysis(image[None], rate).float()
            if typical is None:
                found = self.rates.choose(quantizer, to_vectors(latent), level, with_gradient=False).indices
                chosen = found.view(*latent.shape[2:], -1).cpu().numpy()
            else:
                vectors = latent.permute(0, 2, 3, 1).cpu().numpy()
                (chosen,) = chooser.at_quality(100 * rate).choose([vectors])
            padding = quantizer.num_indices - chosen.shape[-1]
            indices.append(np.pad(chosen, [(0, 0), (0, 0), (0, padding)], constant_values=quantizer.codebook_size))
            levels.append(level)
        return CodedAtRates(np.stack(indices).astype(np.uint16), np.array(levels), self.levels)

    def _typical_bits(self, coded: CodedAtRates) -> TypicalBits:
        """The bits of each index at each level, which are counted anew."""
        for level in range(self.levels):
            own = coded.indices[coded.levels == level]
            used = self.rates.stages[level] * self.rates.pieces
            if len(own):
                vectors = torch.from_numpy(own[..., :used].astype(np.int64)).flatten(0, 2)
                self.rates.recount(level, vectors.to(self.device))
        return TypicalBits.from_counts(self.rates.counts)

    @property
    def qualities(self) -> dict[str, Any]:
        lambdas = self.rates.lambdas
        return {
            "finest": float(lambdas[-1]),
            "coarsest": float(lambdas[0]),
            "stage_limits": [limit / 127.5**2 for limit in self.rates.stage_lambdas],
        }

    def curve(self, batch: UInt8[Tensor, "n 3 H W"]) -> Iterator[CurvePoint]:
        images = normalize(batch)
        for level in range(self.levels):
            rate = level / (self.levels - 1)
            latent = self.autoencoder.encoder(images, rate).float()
            indices = self.rates.choose(self.product_residual, to_vectors(latent), level, with_gradient=False).indices
            decoded = self.autoencoder.decoder(to_grid(self.quantizer.decode(indices), latent), rate)
            yield CurvePoint(to_pixels(decoded), self.rates.information(level, indices))

    def _rate(self, levels: list[int]) -> Float[Tensor, " n"]:
        """From 0 to 1, as the networks take it."""
        return torch.tensor(levels, device=self.device) / (self.levels - 1)

    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        super()._measure(split, batch)
        unquantised = self.autoencoder.synthesis(self.autoencoder.analysis(normalize(batch), 1.0), 1.0)
        self._compare(to_pixels(unquantised), batch, self.psnr)
        self.log(f"{split}/psnr_unquantised", self.psnr, on_epoch=True, on_step=False)
