"""The spectral envelope: log energies of bands, and what follows from them for each bin, in integers.

Energies are in octaves (log2); integers count 1/256 octave. A reader has to find the same step sizes and frequency
tables as the writer, so all that follows from a decoded envelope is computed by integer matrices.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from vqvae.speech.mdct import FRAME, SAMPLE_RATE

OCTAVE = 256  # integer units of an octave of energy
FLOOR = 10.0  # energy of a bin below which nothing is heard, of 16-bit samples: −80 dB of full scale
INTERPOLATION_BITS, WEIGHTING_BITS = 8, 12  # fractional bits of the matrices
DE_EMPHASIS = 0.68  # pole of the filter 1 / (1 − 0.68 z⁻¹)


class BandMaps(NamedTuple):
    """Integer matrices from the envelope's bands to bins; part of the model file.

    Attributes:
        interpolation: weights of linear interpolation between the centres of bands, in 1/256.
        weighting: from the envelope to the quantisation noise's envelope, in 1/4096.
        offset: what is added to the noise's envelope, in 1/256 octave.
    """

    interpolation: Int[np.ndarray, "B N"]
    weighting: Int[np.ndarray, "B N"]
    offset: Int[np.ndarray, " N"]


class BinMaps(NamedTuple):
    """What an envelope says of each bin, in 1/256 octave of energy.

    Attributes:
        step: the squared step size, but for the step size of the frame as a whole.
        ratio: the signal's energy over the squared step size.
    """

    step: Int64[np.ndarray, "*frames N"]
    ratio: Int64[np.ndarray, "*frames N"]


def mel_edges(bands: int, least: int = 4) -> Int64[np.ndarray, " edges"]:
    """First bins of bands of equal width in mel, but of at least `least` bins, and the end of the last."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, bands + 1) / 2595) - 1)
    edges = np.round(hertz / (SAMPLE_RATE / 2) * FRAME).astype(np.int64)
    for band in range(1, bands):
        edges[band] = max(edges[band], edges[band - 1] + least)
    return edges


def uniform_edges(bands: int) -> Int64[np.ndarray, " edges"]:
    """First bins of bands of equal width, and the end of the last."""
    return np.linspace(0, FRAME, bands + 1).astype(np.int64)


def log_energies(
    spectrum: Float[np.ndarray, "frames N"], edges: Int[np.ndarray, " edges"]
) -> Float[np.ndarray, "frames B"]:
    """log2 of the mean energy of a bin in each band, in octaves."""
    energies = np.add.reduceat(spectrum**2, edges[:-1], axis=1) / np.diff(edges)
    return np.log2(energies + FLOOR)


def make_maps(edges: Int[np.ndarray, " edges"], level: float, shape: float, decay: float, tilt: float) -> BandMaps:
    """The matrices for bands and a perceptual model.

    Noise follows the envelope's cepstrum: coefficient n is weighted by `shape` · `decay`ⁿ. For the log spectrum of
    a minimum-phase filter 1/A(z) this is log |1/A(z/γ)|, the weighting of CELP coders, with γ = `decay`; but one fixed
    matrix makes it from the envelope, without linear prediction.

    Args:
        edges: first bins of the bands, and the end of the last.
        level: how far the noise follows the level, coefficient 0.
        shape: how far it follows the shape.
        decay: γ.
        tilt: of the noise, in multiples of a de-emphasis filter's log power.
    """
    bins, centres = np.arange(FRAME), (edges[:-1] + edges[1:] - 1) / 2
    interpolation = np.stack([np.interp(bins, centres, band) for band in np.eye(len(centres))])
    cosines = np.cos(np.pi / FRAME * (bins + 0.5) * bins[:, None]) * np.sqrt(2 / FRAME)
    cosines[0] /= np.sqrt(2)
    lifter = shape * decay ** bins.astype(np.float64)
    lifter[0] = level
    weighting = (interpolation @ cosines.T * lifter) @ cosines
    response = 1 / (1 - DE_EMPHASIS * np.exp(-1j * np.pi * (bins + 0.5) / FRAME))
    offset = tilt * np.log2(np.abs(response) ** 2)
    return BandMaps(
        np.round(interpolation * (1 << INTERPOLATION_BITS)).astype(np.int16),
        np.round(weighting * (1 << WEIGHTING_BITS)).astype(np.int16),
        np.round(offset * OCTAVE).astype(np.int16),
    )


def to_bins(envelope: Int64[np.ndarray, "*frames B"], maps: BandMaps) -> BinMaps:
    """Energies and step sizes of all bins, exactly the same on every machine.

    Products and sums are of integers below 2^53, so that floating point, which is faster, rounds none of them.
    """
    values = envelope.astype(np.float64)
    energy = (values @ maps.interpolation.astype(np.float64)).astype(np.int64) >> INTERPOLATION_BITS
    noise = (values @ maps.weighting.astype(np.float64)).astype(np.int64) >> WEIGHTING_BITS
    step = noise + maps.offset
    return BinMaps(step, energy - step)
