"""Which weight of the rate a quality from 0 to 100 stands for, and the indices of least distortion + λ · bits."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from vqvae.codec.rate_code import rate_of
from vqvae.entropy import EntropyModel, LayeredEntropyModel
from vqvae.entropy.base import MAX_RATE
from vqvae.entropy.context.network import MAX_REACH
from vqvae.errors import ConfigError, UsageError
from vqvae.quantizers import CodebookQuantizer, ProductResidualVQ, Quantizer

LARGEST = 1e30
"""Of λ: single precision holds it, and its products with bits and distances."""

CONTEXT_SHARE = 0.35
"""Of the bits of the entropy model in those that choose indices."""


LEAST_SHARE = 1e-5
"""What an index that was never chosen counts as in a histogram."""


class LambdaRange(NamedTuple):
    """The range of λ, the squared distance between vectors that a bit is worth, which a model was trained for.

    Attributes:
        finest: λ at quality 100.
        coarsest: λ at quality 0.
        stage_limits: below each of these λ a file has one layer of indices more, if the entropy model has layers.
    """

    finest: float
    coarsest: float
    stage_limits: tuple[float, ...] = ()

    @classmethod
    def from_config(cls, config: Any) -> "LambdaRange":
        """From what a model's config has under `qualities`.

        Raises:
            ConfigError: it does not say 0 < finest < coarsest.
        """
        try:
            limits = tuple(map(float, config.get("stage_limits", ())))
            ends = {key: float(value) for key, value in config.items() if key != "stage_limits"}
            found = cls(**ends, stage_limits=limits)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ConfigError(f"invalid qualities: expected numbers for finest and coarsest ({error})") from None
        if not 1 / LARGEST < found.finest < found.coarsest < LARGEST:
            raise ConfigError(
                f"invalid qualities: finest is {found.finest:g} and coarsest {found.coarsest:g}, but expected "
                f"{1 / LARGEST:g} < finest < coarsest < {LARGEST:g}"
            )
        return found

    def lmbda(self, quality: float) -> float:
        """λ of a quality: its logarithm is linear in the quality.

        Raises:
            UsageError: the quality is not from 0 to 100.
        """
        if not 0 <= quality <= 100:
            raise UsageError(f"the quality is {quality}, but must be from 0 to 100")
        return self.coarsest * (self.finest / self.coarsest) ** (quality / 100)

    def layers(self, quality: float) -> int:
        """Number of layers of indices that files of a quality have."""
        return 1 + sum(self.lmbda(quality) < limit for limit in self.stage_limits)


def allows_rdo(quantizer: Quantizer, entropy_model: EntropyModel) -> bool:
    """Whether indices can be chosen by distortion + λ · bits: those of b bits for 2^b codewords each, of product VQ, or
    in layers of a product of residual VQs.
    """
    if not isinstance(quantizer, CodebookQuantizer) or set(quantizer.index_sizes) != {1 << quantizer.index_bits}:
        return False
    if isinstance(entropy_model, LayeredEntropyModel):
        return isinstance(quantizer, ProductResidualVQ)
    return quantizer.pieces == quantizer.num_indices


class MixedCosts(NamedTuple):
    """What bits cost: CONTEXT_SHARE of those of the entropy model, which are coded, and the rest of typical ones,
    since a choice that is cheap in its context may be an expensive context for what follows.

    Attributes:
        lmbda: squared distance that a bit of the entropy model is worth.
        fixed: of each index, as squared distances; None without typical bits.
    """

    lmbda: float
    fixed: Float32[np.ndarray, "M K"] | None

    @classmethod
    def of(cls, lmbda: float, typical_bits: Float32[np.ndarray, "M K"] | None) -> "MixedCosts":
        """For a λ; without typical bits, the entropy model's count alone."""
        if typical_bits is None:
            return cls(lmbda, None)
        return cls(CONTEXT_SHARE * lmbda, np.float32((1 - CONTEXT_SHARE) * lmbda) * typical_bits)


def rdo_quantize(
    bands: Iterable[Float32[np.ndarray, "n r w D"]],
    quantizer: Quantizer,
    entropy_model: EntropyModel,
    lmbda: float,
    typical_bits: Float32[np.ndarray, "M K"] | None = None,
) -> Int64[np.ndarray, "n h w M"]:
    """The indices of least distortion + λ · bits, with bits as `MixedCosts` has them.

    Args:
        bands: the vectors, some rows of the grid at a time, from top to bottom.
        quantizer: one that `allows_rdo`.
        entropy_model: tells the bits.
        lmbda: squared distance that a bit is worth.
        typical_bits: of each index.
    """
    assert isinstance(quantizer, CodebookQuantizer)
    costs = MixedCosts.of(lmbda, typical_bits)
    codebooks = quantizer.codebooks.detach().cpu().numpy()
    chosen: list[Int64[np.ndarray, "n r w M"]] = []
    for vectors in bands:
        subvectors = vectors.reshape(*vectors.shape[:3], len(codebooks), -1)
        above = np.concatenate([subvectors[:, :0, ..., 0].astype(np.int64), *chosen[-MAX_REACH:]], 1)
        chosen.append(entropy_model.rdo_quantize(subvectors, codebooks, costs.lmbda, above, costs.fixed))
    return np.concatenate(chosen, 1)


class TypicalBits(nn.Module):
    """Bits of each index at several rates, by histograms of what was chosen: of use to encoders alone.

    Args:
        bits: for each of L rates, evenly spaced from 0 to 255.
    """

    def __init__(self, bits: Float[Tensor, "L M K"]):
        super().__init__()
        self.register_buffer("bits", bits)

    bits: Float[Tensor, "L M K"]

    @classmethod
    def from_counts(cls, counts: Float[Tensor, "L M K"]) -> "TypicalBits":
        """By histograms of the indices chosen at each rate."""
        shares = counts / counts.sum(2, keepdim=True).clamp(min=1e-9) + LEAST_SHARE
        return cls(-(shares / shares.sum(2, keepdim=True)).log2().cpu())

    def at_rate(self, rate: int) -> Float32[np.ndarray, "M K"]:
        """Those at a rate, interpolated."""
        table = self.bits.float().numpy()
        position = rate * (len(table) - 1) / MAX_RATE
        node = min(int(position), len(table) - 2)
        return table[node] + np.float32(position - node) * (table[node + 1] - table[node])


def rdo_quantize_layers(
    vectors: Float32[np.ndarray, "n h w D"],
    quantizer: ProductResidualVQ,
    entropy_model: LayeredEntropyModel,
    lmbda: float,
    layers: int,
    typical_bits: Float32[np.ndarray, "M K"] | None,
) -> Int64[np.ndarray, "n h w m"]:
    """The indices of least distortion + λ · bits, layer by layer; each layer for what those before leave.

    Args:
        vectors: of images.
        quantizer: whose stages are the layers.
        entropy_model: tells the bits, of which costs are made as in `MixedCosts`.
        lmbda: squared distance that a bit is worth.
        layers: number of layers.
        typical_bits: of each index.
    """
    costs = MixedCosts.of(lmbda, typical_bits)
    codebooks = quantizer.codebooks.detach().cpu().numpy()
    fixed = np.zeros(codebooks.shape[:2], np.float32) if costs.fixed is None else costs.fixed
    indices = np.empty((*vectors.shape[:3], 0), np.int64)
    for layer in range(layers):
        own = slice(layer * quantizer.pieces, (layer + 1) * quantizer.pieces)
        remainder = vectors - decode_vectors(quantizer, indices) if layer else vectors
        subvectors = remainder.reshape(*vectors.shape[:3], quantizer.pieces, -1)
        chosen = entropy_model.rdo_quantize_layer(subvectors, codebooks[own], costs.lmbda, fixed[own], indices)
        indices = np.concatenate([indices, chosen], -1)
    return indices


class IndexChooser:
    """Chooses the indices of a variable-rate model by least distortion + λ · bits.

    Args:
        quantizer: one that `allows_rdo`.
        entropy_model: tells the bits.
        lambda_range: λ of the qualities.
        typical_bits: of indices chosen like this.

    Raises:
        ConfigError: this quantiser cannot weigh bits against distortion.
    """

    def __init__(
        self,
        quantizer: Quantizer,
        entropy_model: EntropyModel,
        lambda_range: LambdaRange,
        typical_bits: TypicalBits | None = None,
    ):
        if not allows_rdo(quantizer, entropy_model):
            raise ConfigError(
                f"{type(quantizer).__name__} cannot weigh bits against distortion, but the model has qualities: "
                "leave them out, or take product_vq with codebook_bits as the quantiser"
            )
        self.quantizer, self.entropy_model = quantizer, entropy_model
        self.lambda_range, self.typical_bits = lambda_range, typical_bits

    def at_quality(self, quality: float) -> "QualityChooser":
        """For a quality from 0 to 100."""
        rate = rate_of(quality)
        model = self.entropy_model
        if isinstance(model, LayeredEntropyModel):
            model = model.at_rate(rate)
        typical = None if self.typical_bits is None else self.typical_bits.at_rate(rate)
        lmbda, layers = self.lambda_range.lmbda(quality), self.lambda_range.layers(quality)
        return QualityChooser(self.quantizer, model, lmbda, layers, typical)


class QualityChooser(NamedTuple):
    """Chooses indices at one quality.

    Attributes:
        quantizer, entropy_model: of the model; the latter at the quality's rate.
        lmbda: squared distance between vectors that a bit is worth.
        layers: number of layers, if the entropy model has layers.
        typical_bits: of each index.
    """

    quantizer: Quantizer
    entropy_model: EntropyModel
    lmbda: float
    layers: int
    typical_bits: Float32[np.ndarray, "M K"] | None

    def choose(self, bands: Iterable[Float32[np.ndarray, "n r w D"]]) -> Int64[np.ndarray, "n h w m"]:
        """The indices of vectors that come some rows of the grid at a time, from top to bottom."""
        quantizer, model, lmbda, layers, typical = self
        if not isinstance(model, LayeredEntropyModel):
            return rdo_quantize(bands, quantizer, model, lmbda, typical)
        assert isinstance(quantizer, ProductResidualVQ)
        return rdo_quantize_layers(np.concatenate(list(bands), 1), quantizer, model, lmbda, layers, typical)

    def bits(self, indices: Int64[np.ndarray, "1 h w m"]) -> float:
        """Of the indices of an image."""
        return float(self.entropy_model.bits(indices)[0])


def decode_vectors(quantizer: Quantizer, indices: Int64[np.ndarray, "n h w m"]) -> Float32[np.ndarray, "n h w D"]:
    """The vectors of indices."""
    decoded = quantizer.decode(torch.from_numpy(indices).flatten(0, 2).to(quantizer.device))
    return decoded.detach().view(*indices.shape[:3], -1).cpu().numpy()
