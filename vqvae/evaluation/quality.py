"""How near an image comes to its original."""

import math

import numpy as np
import torch
from jaxtyping import UInt8
from torchmetrics.functional.image import structural_similarity_index_measure

SSIM_WINDOW = 11  # pixels


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
    first, second = (torch.tensor(image).permute(2, 0, 1).unsqueeze(0).float() for image in (a, b))
    return float(structural_similarity_index_measure(first, second, data_range=255.0))  # type: ignore[arg-type]
