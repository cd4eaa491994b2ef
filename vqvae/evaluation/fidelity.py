"""How near an image comes to its original."""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vqvae.errors import needs_extra

SSIM_WINDOW = 11  # pixels
MS_SSIM_SIDE = 16 * SSIM_WINDOW  # the window in the smallest of the five scales


def mean_squared_error(a: UInt8[np.ndarray, "H W 3"], b: UInt8[np.ndarray, "H W 3"]) -> float:
    """Mean squared difference of 8-bit values, over all pixels and channels."""
    return float(np.square(a.astype(np.float64) - b).mean())


def psnr_of(mse: float) -> float:
    """Peak signal-to-noise ratio of 8-bit pixels, in dB; infinite where there is no error."""
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def psnr(a: UInt8[np.ndarray, "H W 3"], b: UInt8[np.ndarray, "H W 3"]) -> float:
    """Peak signal-to-noise ratio of two 8-bit RGB images, in dB."""
    return psnr_of(mean_squared_error(a, b))


def ssim(a: UInt8[np.ndarray, "H W 3"], b: UInt8[np.ndarray, "H W 3"]) -> float | None:
    """Structural similarity (Wang et al. 2004: Gaussian window, σ = 1.5), the mean over pixels and RGB channels.

    As in training; None for images of less than half the window of 11 pixels.
    """
    if min(a.shape[:2]) <= SSIM_WINDOW // 2:
        return None
    with needs_extra("train"):
        from torchmetrics.functional.image import structural_similarity_index_measure as measure
    with torch.autocast("cpu", enabled=False):  # in half precision, SSIM is wrong by up to 0.06
        return float(measure(_to_tensor(a), _to_tensor(b), data_range=255.0))  # type: ignore[arg-type]


def ms_ssim(a: UInt8[np.ndarray, "H W 3"], b: UInt8[np.ndarray, "H W 3"]) -> float | None:
    """Structural similarity at five scales (Wang et al. 2003), the mean over pixels and RGB channels at each.

    None for images with a side under 176 pixels.
    """
    if min(a.shape[:2]) < MS_SSIM_SIDE:
        return None
    with needs_extra("train"):
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as measure
    with torch.autocast("cpu", enabled=False):
        return float(measure(_to_tensor(a), _to_tensor(b), data_range=255.0, normalize="relu"))


def _to_tensor(image: UInt8[np.ndarray, "H W 3"]) -> Float[Tensor, "1 3 H W"]:
    return torch.tensor(image).permute(2, 0, 1).unsqueeze(0).float()
