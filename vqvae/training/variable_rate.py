"""Training of one autoencoder for all rates, with a gradient of the rate."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.image import PeakSignalNoiseRatio

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_grid, to_pixels, to_vectors
from vqvae.errors import ConfigError
from vqvae.quantizers import ProductResidualVQ, count_usage
from vqvae.training.base import MakeOptimizer, MakeSchedule
from vqvae.training.images import ImageCompression

DISTORTION_DECAY = 0.98
"""The share of a level's mean distortion that stays at each batch."""

PRIOR = 1e-3
"""What a codeword that is never chosen is counted as, in vectors."""

VECTORS = 64
"""What all counts of a histogram sum up to, about."""


class Choice(NamedTuple):
    """Indices of least distortion + λ · bits, and what the encoder has to know of their rate.

    Attributes:
        indices: those chosen.
        gradient: of the expected bits with respect to the vectors.
    """

    indices: Int64[Tensor, "n m"]
    gradient: Float[Tensor, "n D"]


class RateModel(nn.Module):
    """Bits of each index at several λ, by histograms: entropy-constrained VQ.

    λ is the squared error of 8-bit pixels, added up over the three colours, that a bit is worth.

    Args:
        quantizer: whose indices are counted.
        lambda_min, lambda_max: λ of the highest and of the lowest rate.
        levels: number of rates, evenly spaced in the logarithm of λ, from the lowest rate to the highest.
        stage_lambdas: below each of these λ one stage more is used.
        decay: the share of a histogram that stays at each batch.
    """

    def __init__(
        self,
        quantizer: ProductResidualVQ,
        lambda_min: float,
        lambda_max: float,
        levels: int,
        stage_lambdas: list[float],
        decay: float,
    ):
        super().__init__()
        self.decay = decay
        self.pieces = quantizer.pieces
        lambdas = lambda_max * (lambda_min / lambda_max) ** (torch.arange(levels) / (levels - 1))
        self.stages = [1 + sum(float(one) < limit for limit in stage_lambdas) for one in lambdas]
        shape = (levels, quantizer.num_indices, quantizer.codebook_size)
        self.register_buffer("counts", torch.full(shape, VECTORS / quantizer.codebook_size))
        self.register_buffer("lambdas", lambdas / 127.5**2)
        self.counts: Float[Tensor, "L M K"]
        self.lambdas: Float[Tensor, " L"]

    @property
    def levels(self) -> int:
        """Number of rates."""
        return len(self.lambdas)

    def bits(self, level: int) -> Float[Tensor, "m K"]:
        """Bits of each index that a level uses."""
        counts = self.counts[level, : self.stages[level] * self.pieces] + PRIOR
        return (counts.sum(1, keepdim=True) / counts).log2()

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)
    def choose(
        self, quantizer: ProductResidualVQ, x: Float[Tensor, "n D"], level: int, with_gradient: bool = True
    ) -> Choice:
        """Chooses the indices of vectors at a level, stage by stage.

        The gradient is that of the expected bits where codewords are chosen at random, with probabilities
        ∝ exp(-(distance + λ · bits) ln 2 / λ): the channel of least rate for its distortion, Berger 1971.
        """
        bits, lmbda = self.bits(level).unsqueeze(1), self.lambdas[level]
        slope = math.log(2) / lmbda
        remainder, gradient, chosen = x, torch.zeros_like(x), []
        for stage in range(self.stages[level]):
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            books, costs = quantizer.codebooks[part], bits[part]
            vectors = remainder.unflatten(1, (self.pieces, -1)).transpose(0, 1)  # m n d
            offsets = books.square().sum(2).unsqueeze(1) + lmbda * costs
            scores = torch.baddbmm(-slope * offsets, vectors, (2 * slope * books).transpose(1, 2))
            index = scores.argmax(2).T
            if with_gradient:
                shares = scores.softmax(2)
                expected = (shares * costs).sum(2, keepdim=True)
                pull = (shares * (costs - expected)) @ books
                gradient += 2 * slope * pull.transpose(0, 1).flatten(1)
            chosen.append(index)
            remainder = remainder - decode_stage(books, index)
        return Choice(torch.cat(chosen, 1), gradient)

    def count(self, level: int, indices: Int64[Tensor, "n m"]) -> None:
        """Updates the histogram of a level: a moving average."""
        shares = count_usage(indices, self.counts.shape[2]) / len(indices)
        self.counts[level, : len(shares)].lerp_(VECTORS * shares, 1 - self.decay)

    @torch.no_grad()
    def fit(self, quantizer: ProductResidualVQ, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        """Entropy-constrained Lloyd, stage by stage: each codeword moves to the mean of all vectors that chose it at
        any level. Chou, Lookabaugh and Gray, IEEE Trans. ASSP 1989.
        """
        quantizer.fit(vectors, iterations)
        size = self.counts.shape[2]
        for stage in range(quantizer.stages):
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            levels = [level for level in range(self.levels) if self.stages[level] > stage]
            for _ in range(iterations):
                sums = torch.zeros_like(quantizer.codebooks[part])
                used = torch.zeros_like(self.counts[0, part])
                for level in levels:
                    indices = self.choose(quantizer, vectors, level, with_gradient=False).indices
                    self.counts[level, : indices.shape[1]] = VECTORS * count_usage(indices, size) / len(indices)
                    before = indices[:, : stage * self.pieces]
                    remainder = vectors - quantizer.decode(before) if stage else vectors
                    pieces = remainder.unflatten(1, (self.pieces, -1)).transpose(0, 1)
                    for total, piece, index in zip(sums, pieces, indices[:, part].T, strict=True):
                        total.index_add_(0, index, piece)
                    used += count_usage(indices[:, part], size)
                moved = sums / used.clamp(min=1).unsqueeze(2)
                quantizer.codebooks[part] = torch.where(used.unsqueeze(2) > 0, moved, quantizer.codebooks[part])


def decode_stage(books: Float[Tensor, "m K d"], indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
    """The codewords of one stage, side by side."""
    offsets = torch.arange(len(books), device=indices.device) * books.shape[1]
    return books.flatten(0, 1).index_select(0, (indices + offsets).flatten()).view(len(indices), -1)


class VariableRate(ImageCompression):
    """Trains an autoencoder whose indices are chosen by distortion + λ · bits, for several λ in turn.

    The images of a batch take turns in the levels. Minimised is the mean of (D + λR) / D' over the levels, where D' is
    the level's running distortion: the gradient of log D + λR / D, so that no rate is trained at the expense of
    another. The rate's gradient reaches the encoder through a soft choice of codewords.

    Args:
        autoencoder: what to train.
        optimizer, scheduler: make optimiser and learning-rate schedule.
        lambda_min, lambda_max, levels, stage_lambdas, decay: the rates, as `RateModel` has them.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        optimizer: MakeOptimizer,
        scheduler: MakeSchedule,
        lambda_min: float,
        lambda_max: float,
        levels: int,
        stage_lambdas: list[float],
        decay: float,
    ):
        super().__init__(autoencoder, optimizer, scheduler)
        if not isinstance(autoencoder.quantizer, ProductResidualVQ):
            name = type(autoencoder.quantizer).__name__
            raise ConfigError(f"{name} cannot be trained for all rates at once: set quantizer=prvq")
        if not (autoencoder.encoder.takes_rate and autoencoder.decoder.takes_rate):
            raise ConfigError("these networks do not take a rate: set network=variable_rate")
        self.rates = RateModel(autoencoder.quantizer, lambda_min, lambda_max, levels, stage_lambdas, decay)
        self.register_buffer("running_distortion", torch.zeros(levels))
        self.running_distortion: Float[Tensor, " L"]
        self.level_psnr = nn.ModuleList(PeakSignalNoiseRatio(data_range=255.0) for _ in range(levels))
        self.level_bpp = nn.ModuleList(MeanMetric() for _ in range(levels))

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
        levels = self._levels(len(batch), self.global_step)
        rate = torch.tensor(levels, device=images.device) / (self.rates.levels - 1)
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
        with torch.no_grad():
            for level, one, distortion in zip(levels, chosen, distortions, strict=True):
                self.rates.count(level, one.indices)
                before = self.running_distortion[level]
                self.running_distortion[level] = torch.where(
                    before > 0, torch.lerp(distortion, before, DISTORTION_DECAY), distortion
                )
        lagrangian = distortions + self.rates.lambdas[levels] / 3 * (bits - bits.detach())
        loss = (lagrangian / self.running_distortion[levels]).mean() + loss
        self.log("train/psnr", -10 * (distortions.detach() / 4).log10().mean(), prog_bar=True)
        return {"loss": loss, "indices": chosen[-1].indices}

    def fit_codebooks(self, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        self.rates.fit(self.product_residual, vectors, iterations)

    def fitted(self) -> list[Tensor]:
        return [*super().fitted(), self.rates.counts]

    def reached(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        psnr, bpp = (
            [metrics[f"test/{name}_{level}"] for level in range(self.rates.levels)] for name in ("psnr", "bpp")
        )
        means = {"psnr_dataset": sum(psnr) / len(psnr), "ssim": metrics["test/ssim"]}
        return {**means, "levels": {"psnr_dataset": psnr, "bpp_by_histograms": bpp}}

    def _levels(self, number: int, start: int = 0) -> list[int]:
        step = max(1, self.rates.levels // number)
        return [(start + place * step) % self.rates.levels for place in range(number)]

    @torch.no_grad()
    def _measure(self, split: str, batch: UInt8[Tensor, "n 3 H W"]) -> None:
        images = normalize(batch)
        for level, (psnr, bpp) in enumerate(zip(self.level_psnr, self.level_bpp, strict=True)):
            assert isinstance(psnr, Metric) and isinstance(bpp, Metric)
            rate = torch.full((len(batch),), level / (self.rates.levels - 1), device=images.device)
            latent = self.autoencoder.encoder(images, rate)
            indices = self.rates.choose(self.product_residual, to_vectors(latent).float(), level, False).indices
            values = self.autoencoder.quantizer.decode(indices)
            pixels = to_pixels(self.autoencoder.decoder(to_grid(values, latent), rate))
            psnr(pixels.float(), batch.float())
            bpp(self.rates.bits(level).gather(1, indices.T).sum() / batch[:, 0].numel(), weight=len(batch))
            self.log(f"{split}/psnr_{level}", psnr, on_epoch=True, on_step=False)
            self.log(f"{split}/bpp_{level}", bpp, on_epoch=True, on_step=False)
            self.ssim(pixels.float(), batch.float())
        unquantised = to_pixels(self.autoencoder.decoder(latent, rate)).float()
        error = (unquantised - batch.float()).square().mean()
        self.log(f"{split}/psnr_unquantised", 10 * (255**2 / error).log10(), on_epoch=True, on_step=False)
        self.log(f"{split}/ssim", self.ssim, on_epoch=True, on_step=False)
