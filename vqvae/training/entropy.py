"""Entropy models, fitted to the indices of images and measured on them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Integer, UInt8
from torch import Tensor

from vqvae.codec.rate_control import TypicalBits
from vqvae.entropy import EntropyModel


class Fitted(NamedTuple):
    """What is known of an entropy model that was fitted.

    Attributes:
        payload_bpp: bits per pixel that the test images take, without what makes files of them; at several rates, the
            mean.
        typical_bits: of indices chosen by λ.
    """

    payload_bpp: float
    typical_bits: TypicalBits | None = None


def indices_of(
    encode: Callable[[UInt8[Tensor, "b 3 H W"]], Int64[Tensor, "b h w M"]],
    batches: Iterable[UInt8[Tensor, "b 3 H W"]],
) -> Integer[np.ndarray, "n h w M"]:
    """The indices of all images, which are of one size, as uint16.

    Args:
        encode: returns the indices of a batch, as `ImageCompression.indices` does.
        batches: the images.
    """
    return np.concatenate([encode(batch).cpu().numpy().astype(np.uint16) for batch in batches])


def payload_bpp(entropy_model: EntropyModel, indices: Integer[np.ndarray, "n h w M"], stride: int) -> float:
    """Bits per pixel that the indices take under the model: the payload, without the rest of a file."""
    parts = np.array_split(indices, -(-len(indices) // 256))
    bits = sum(entropy_model.bits(part.astype(np.int64)).sum() for part in parts)
    return float(bits / (indices[..., 0].size * stride**2))
