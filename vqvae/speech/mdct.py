"""The MDCT of the speech codec: 320 bins every 20 ms at 16 kHz, with a low-overlap window of 30 ms."""

from functools import cache

import numpy as np
from jaxtyping import Float

SAMPLE_RATE = 16000
FRAME = 320  # samples from one frame to the next, and bins of each
OVERLAP = 160  # samples that neighbouring windows share


def frame_count(samples: int) -> int:
    """Frames of a signal: each sample is in two windows, so there is one frame more than whole hops."""
    return -(-samples // FRAME) + 1


@cache
def window() -> Float[np.ndarray, " samples"]:
    """80 zeros, 160 samples of a quarter sine, 160 ones, and mirrored: w²(n) + w²(n + N) = 1 (Princen-Bradley)."""
    zeros, ones = np.zeros((FRAME - OVERLAP) // 2), np.ones((FRAME - OVERLAP) // 2)
    rise = np.sin(np.pi / 2 * (np.arange(OVERLAP) + 0.5) / OVERLAP)
    half = np.concatenate([zeros, rise, ones])
    return np.concatenate([half, half[::-1]])


@cache
def _basis() -> Float[np.ndarray, "samples N"]:
    """The windowed cosines, orthonormal: the transform's matrix, and transposed its inverse."""
    sample, bin_ = np.arange(2 * FRAME)[:, None], np.arange(FRAME)[None]
    phase = np.pi / FRAME * (sample + 0.5 + FRAME / 2) * (bin_ + 0.5)
    return window()[:, None] * np.cos(phase) * np.sqrt(2 / FRAME)


def mdct(samples: Float[np.ndarray, " n"]) -> Float[np.ndarray, "frames N"]:
    """The spectrum of a signal. Princen, Johnson and Bradley, ICASSP 1987."""
    count = frame_count(len(samples))
    padded = np.zeros((count + 1) * FRAME)
    padded[FRAME : FRAME + len(samples)] = samples
    halves = padded.reshape(-1, FRAME)
    return np.concatenate([halves[:-1], halves[1:]], 1) @ _basis()


def imdct(spectrum: Float[np.ndarray, "frames N"], samples: int) -> Float[np.ndarray, " n"]:
    """The signal of a spectrum.

    Args:
        spectrum: `frame_count(samples)` frames.
        samples: length of the signal.
    """
    windowed = spectrum @ _basis().T
    overlapped = windowed[:-1, FRAME:] + windowed[1:, :FRAME]
    return overlapped.reshape(-1)[:samples]
