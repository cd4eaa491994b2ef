"""The indices that entropy models are fitted to, and measured on."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from vqvae.autoencoder import AutoEncoder, normalize
from vqvae.coding import EntropyModel


@torch.inference_mode()
def indices_of(autoencoder: AutoEncoder, batches: Iterable[UInt8[Tensor, "b 3 H W"]]) -> Integer[np.ndarray, "n h w M"]:
    """The indices of all images, which are of one size, in as few bytes as they need."""
    autoencoder.eval()
    kind = np.uint8 if autoencoder.quantizer.index_bits <= 8 else np.uint16
    device = autoencoder.quantizer.codebooks.device
    return np.concatenate(
        [autoencoder.encode(normalize(batch.to(device))).cpu().numpy().astype(kind) for batch in batches]
    )


def payload_bpp(entropy_model: EntropyModel, indices: Integer[np.ndarray, "n h w M"], stride: int) -> float:
    """Bits per pixel that the indices take under the model, without what makes a file of them."""
    bits = sum(entropy_model.bits(some).sum() for some in np.array_split(indices, -(-len(indices) // 256)))
    return float(bits / (indices[..., 0].size * stride**2))
