"""Training of a quantiser of spectral envelopes for the code length of the spectrum that they describe."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vqvae.quantizers import CodebookQuantizer
from vqvae.speech.envelope import FLOOR
from vqvae.training.base import MakeOptimizer, MakeSchedule, QuantizerTraining

DENSITY_FRAMES = 4096  # that the density is initialised with, about


class LogisticMixture(nn.Module):
    """A density of bins of unit variance: a mixture of logistic distributions around zero, the same for all bins.

    Args:
        components: how many.
    """

    def __init__(self, components: int = 3):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.log_scales = nn.Parameter(torch.linspace(-2.0, 0.0, components))

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """log2 of the density."""
        scaled = x.abs().unsqueeze(-1) / self.log_scales.exp()
        logs = -scaled - self.log_scales - 2 * F.softplus(-scaled) + self.logits.log_softmax(0)
        return logs.logsumexp(-1) / math.log(2)


class SpeechCompression(QuantizerTraining):
    """Trains a quantiser of envelopes end to end: the loss is the information in a bin, given its quantised envelope.

    Vali and Bäckström, "End-to-end Optimized Multi-stage Vector Quantization of Spectral Envelopes for Speech and Audio
    Coding", Interspeech 2021: log2 σ − log2 f(x / σ), with σ from the envelope and a learned density f.

    Args:
        quantizer: what to train.
        edges: first bins of the bands, and the end of the last.
        interpolation: from the envelope's bands to bins.
        mean: of the envelopes, in octaves of energy.
        optimizer: makes the optimiser.
        scheduler: makes the learning-rate schedule.
    """

    def __init__(
        self,
        quantizer: CodebookQuantizer,
        edges: list[int],
        interpolation: Float[Tensor, "B N"],
        mean: Float[Tensor, " B"],
        optimizer: MakeOptimizer,
        scheduler: MakeSchedule,
    ):
        super().__init__(optimizer, scheduler)
        self._quantizer = quantizer
        self.density = LogisticMixture()
        self.widths = [end - start for start, end in pairwise(edges)]
        self.interpolation: Tensor
        self.mean: Tensor
        self.register_buffer("interpolation", interpolation)
        self.register_buffer("mean", mean)

    @property
    def quantizer(self) -> CodebookQuantizer:
        return self._quantizer

    def vectors(self, batch: Float[Tensor, "n N"]) -> Float[Tensor, "n B"]:
        energies = torch.stack([band.square().mean(1) for band in batch.split(self.widths, 1)], 1)
        return (energies + FLOOR).log2() - self.mean

    def fit_codebooks(self, spectra: Float[Tensor, "n N"], iterations: int) -> None:
        """Initialises the codebooks by fitting them to envelopes, then the density to a part of the spectra."""
        super().fit_codebooks(self.vectors(spectra), iterations)
        self.fit_density(spectra[:: max(1, len(spectra) // DENSITY_FRAMES)])

    def fit_density(self, spectra: Float[Tensor, "n N"], iterations: int = 20) -> None:
        """Fits the density alone, given the envelopes that the quantiser gives by now."""
        optimizer = torch.optim.LBFGS(self.density.parameters(), max_iter=iterations, line_search_fn="strong_wolfe")
        with torch.no_grad():
            vectors = self.vectors(spectra)
            values = self.quantizer.decode(self.quantizer.encode(vectors))

        def closure() -> Tensor:
            optimizer.zero_grad()
            bits = self.bits_per_bin(spectra, values)
            bits.backward()
            return bits

        optimizer.step(closure)

    def training_step(self, batch: Float[Tensor, "n N"], batch_index: int) -> dict[str, Tensor]:
        quantized = self.quantizer(self.vectors(batch))
        bits = self.bits_per_bin(batch, quantized.values)
        self.log("train/bits", bits, prog_bar=True)
        return {"loss": bits + quantized.loss, "indices": quantized.indices}

    def bits_per_bin(self, batch: Float[Tensor, "n N"], envelope: Float[Tensor, "n B"]) -> Float[Tensor, ""]:
        """The mean information in a bin, in bits at a step size of 1."""
        log_deviation = (envelope + self.mean) @ self.interpolation / 2
        return (log_deviation - self.density(batch * torch.exp2(-log_deviation))).mean()

    def validation_step(self, batch: Float[Tensor, "n N"], batch_index: int) -> None:
        self._measure("val", batch)

    def test_step(self, batch: Float[Tensor, "n N"], batch_index: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: Float[Tensor, "n N"]) -> None:
        vectors = self.vectors(batch)
        values = self.quantizer(vectors).values
        figures = {
            f"{split}/bits": self.bits_per_bin(batch, values),
            f"{split}/error": (values - vectors).square().sum(1).mean(),
        }
        self.log_dict(figures, on_epoch=True, on_step=False, prog_bar=True, batch_size=len(batch))
