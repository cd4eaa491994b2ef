"""Quantisation of the spectrum, and the classes that choose frequency tables and reconstruction levels.

A bin has two classes. The scale class is what the envelope says of the bin, its energy over the step size. The context
class is the magnitude of neighbours that a reader knows: for even bins three of the frame before, for odd bins also the
two even ones beside it.
"""

import numpy as np
from jaxtyping import Float, Int, Int32, Int64

from vqvae.speech.mdct import FRAME

LARGEST = 17  # magnitude that a symbol holds; larger ones are escapes
SCALES, LOWEST_SCALE, SCALE_SHIFT = 41, -16, 7  # scale classes, each half an octave of energy wide
THRESHOLDS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 22])  # largest neighbourhood of each context class but the last
CONTEXTS = len(THRESHOLDS) + 1
MOST = 1 << 20  # magnitudes are below
HALVES = (0, 1)  # even bins, and odd ones
PARITY = np.arange(FRAME) % 2  # the half of each bin
_CONTEXT_OF = np.searchsorted(THRESHOLDS, np.arange(4 * LARGEST + 1)).astype(np.int64)


def scale_classes(ratio: Int64[np.ndarray, "*frames N"]) -> Int64[np.ndarray, "*frames N"]:
    """The scale class of each bin.

    Args:
        ratio: energy over squared step size, in 1/256 octave.
    """
    half = 1 << SCALE_SHIFT - 1
    return np.clip((ratio + half >> SCALE_SHIFT) - LOWEST_SCALE, 0, SCALES - 1)


def context_classes(
    half: int, before: Int[np.ndarray, "*frames N"], frame: Int[np.ndarray, "*frames N"]
) -> Int64[np.ndarray, "*frames half"]:
    """The context class of each even bin (half 0), or of each odd one (half 1), for which even bins are known.

    Args:
        half: which bins.
        before: magnitudes of the frame before.
        frame: magnitudes of this frame.
    """
    past = _beside(before)
    around = 2 * past[..., 1 + half : -1 : 2] + past[..., half:-2:2] + past[..., 2 + half :: 2]
    if half == 0:
        return _CONTEXT_OF[around >> 1]
    present = _beside(frame)
    return _CONTEXT_OF[(around >> 2) + present[..., 1:-1:2] + present[..., 3::2]]


def _beside(magnitudes: Int[np.ndarray, "*frames N"]) -> Int[np.ndarray, "*frames padded"]:
    """Magnitudes up to the largest symbol, with a zero at both ends."""
    padded = np.zeros((*magnitudes.shape[:-1], FRAME + 2), magnitudes.dtype)
    np.minimum(magnitudes, LARGEST, out=padded[..., 1:-1])
    return padded


def all_contexts(
    magnitudes: Int[np.ndarray, "frames N"], first: Int[np.ndarray, " N"] | int = 0
) -> Int64[np.ndarray, "frames N"]:
    """The context classes of all bins of successive frames.

    Args:
        magnitudes: of the bins.
        first: of the bins of the frame before.
    """
    before = np.empty_like(magnitudes)
    before[0], before[1:] = first, magnitudes[:-1]
    contexts = np.empty(magnitudes.shape, np.int64)
    for half in HALVES:
        contexts[:, half::2] = context_classes(half, before, magnitudes)
    return contexts


def quantise(
    spectrum: Float[np.ndarray, "*frames N"], step: Int64[np.ndarray, "*frames N"], rounding: float
) -> Int32[np.ndarray, "*frames N"]:
    """Uniform quantisation with a dead zone.

    Args:
        spectrum: the bins.
        step: squared step sizes, in 1/256 octave.
        rounding: what is added to a magnitude before its fraction is cut off: 0.5 rounds, less widens the dead zone.
    """
    scaled = spectrum * np.exp2(step / -512.0)
    return np.copysign(np.minimum(np.floor(np.abs(scaled) + rounding), MOST - 1), scaled).astype(np.int32)


def dequantise(
    quantised: Int[np.ndarray, "*frames N"],
    levels: Int[np.ndarray, "*frames N L"],
    step: Int64[np.ndarray, "*frames N"],
    noise: Float[np.ndarray, "*frames N"],
) -> Float[np.ndarray, "*frames N"]:
    """The spectrum again: centroids, and noise where bins are zero.

    Args:
        quantised: the quantised bins.
        levels: of each bin's classes, in 1/256 of the step size: the noise's largest magnitude, then the centroid of
            each magnitude from 1 to `LARGEST`.
        step: squared step sizes, in 1/256 octave.
        noise: from −1 to 1.
    """
    magnitude = np.abs(quantised)
    symbol = np.minimum(magnitude, LARGEST)
    level = np.take_along_axis(levels, symbol[..., None], -1)[..., 0] / 256 + (magnitude - symbol)
    return np.where(quantised == 0, noise, np.sign(quantised)) * level * np.exp2(step / 512.0)


def noise(first: int, frames: int) -> Float[np.ndarray, "frames N"]:
    """Uniform noise from −1 to 1, of `frames` frames from the given one on: a hash of each bin's number (MurmurHash3).

    So a frame's noise is the same wherever decoding begins, and on every machine.
    """
    word = np.arange(first * FRAME, (first + frames) * FRAME, dtype=np.uint64).astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        word ^= word >> np.uint32(shift)
        word *= np.uint32(factor)
    word ^= word >> np.uint32(16)
    return (word.astype(np.float64) * 2.0**-31 - 1).reshape(frames, FRAME)
