"""Which weight of the rate a quality from 0 to 100 stands for, and which quality gives a file of some size."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from vqvae.entropy import EntropyModel
from vqvae.entropy.context.network import MAX_REACH
from vqvae.errors import ConfigError, UsageError
from vqvae.quantizers import CodebookQuantizer, Quantizer

LARGEST = 1e30
"""Of λ: single precision holds it, and its products with bits and distances."""

HALVINGS = 8
"""Steps of a search for a quality: it ends within 100 / 2^8."""


class LambdaRange(NamedTuple):
    """The range of λ, the squared distance between vectors that a bit is worth, which a model was trained for.

    Attributes:
        finest: λ at quality 100.
        coarsest: λ at quality 0.
    """

    finest: float
    coarsest: float

    @classmethod
    def from_config(cls, config: Any) -> "LambdaRange":
        """From what a model's config has under `qualities`.

        Raises:
            ConfigError: it does not say 0 < finest < coarsest.
        """
        try:
            found = cls(**{key: float(value) for key, value in config.items()})
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


def allows_rdo(quantizer: Quantizer) -> bool:
    """Whether indices can be chosen by distortion + λ · bits: those of product VQ, of b bits for 2^b codewords each."""
    if not isinstance(quantizer, CodebookQuantizer):
        return False
    return quantizer.pieces == quantizer.num_indices and set(quantizer.index_sizes) == {1 << quantizer.index_bits}


def rdo_quantize(
    bands: Iterable[Float32[np.ndarray, "n r w D"]], quantizer: Quantizer, entropy_model: EntropyModel, lmbda: float
) -> Int64[np.ndarray, "n h w M"]:
    """The indices of least distortion + λ · bits.

    Args:
        bands: the vectors, some rows of the grid at a time, from top to bottom.
        quantizer: one that `allows_rdo`.
        entropy_model: tells the bits.
        lmbda: squared distance that a bit is worth.
    """
    assert isinstance(quantizer, CodebookQuantizer)
    codebooks = quantizer.codebooks.detach().cpu().numpy()
    chosen: list[Int64[np.ndarray, "n r w M"]] = []
    for vectors in bands:
        subvectors = vectors.reshape(*vectors.shape[:3], len(codebooks), -1)
        above = np.concatenate([subvectors[:, :0, ..., 0].astype(np.int64), *chosen[-MAX_REACH:]], 1)
        chosen.append(entropy_model.rdo_quantize(subvectors, codebooks, lmbda, above))
    return np.concatenate(chosen, 1)


def search_quality(size_at: Callable[[float], int], limit: float) -> float | None:
    """The highest quality tried whose file is not larger than a limit; None if that of quality 0 is.

    Sizes mostly rise with the quality, but not always, so a file of a higher quality may happen to be as small.

    Args:
        size_at: bytes of the file at a quality.
        limit: most bytes.
    """
    if size_at(0.0) > limit:
        return None
    if size_at(100.0) <= limit:
        return 100.0
    lowest, highest = 0.0, 100.0
    for _ in range(HALVINGS):
        middle = (lowest + highest) / 2
        if size_at(middle) <= limit:
            lowest = middle
        else:
            highest = middle
    return lowest
