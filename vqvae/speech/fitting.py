"""A speech model fitted to recordings: codebooks by their classic training, then tables by counting."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from vqvae.entropy.range_coder import to_frequencies
from vqvae.quantizers import CodebookQuantizer
from vqvae.speech.codec import SpeechCodec, SpeechModel
from vqvae.speech.envelope import OCTAVE, BandMaps
from vqvae.speech.spectrum import CONTEXTS, LARGEST, PARITY, SCALES, THRESHOLDS, all_contexts, scale_classes
from vqvae.speech.tables import LARGEST_CHANGE, Tables

STEPS = range(256, 4097, 512)  # step sizes that bins are counted with
NEIGHBOUR = 0.1  # what counts of a neighbouring scale class are worth
PRIOR = 20.0  # counts that a table's prior is worth
INDEX_PRIOR = 8.0
LEAST = 1e-6  # probability
CENTROID_PRIOR = 50.0  # bins in the middle of their interval that hold a centroid there
ZERO_POWER = 0.04  # of bins that are quantised to zero, in squared steps, before any are counted
CHANGE_DECAY = 0.55  # probability of a change of the step size, compared with that of one less
NOISE = (
    0.5,
    0.4,
    0.3,
)  # of the root mean square of bins that are zero, by context class; the last for all further ones


class SpectrumCounts(NamedTuple):
    """What was seen of bins by half, scale class and context class.

    Attributes:
        number: of bins, by magnitude.
        total: of their magnitudes before quantisation, in steps.
        power: of those quantised to zero, in squared steps.
    """

    number: Float[np.ndarray, "2 S X levels"]
    total: Float[np.ndarray, "2 S X levels"]
    power: Float[np.ndarray, "2 S X"]


def fit_mean(envelopes: Float[np.ndarray, "n B"]) -> Int64[np.ndarray, " B"]:
    """The mean that is taken from envelopes before they are quantised, in 1/256 octave."""
    return np.round(envelopes.mean(0) * OCTAVE).astype(np.int64)


def round_codebooks(quantizer: CodebookQuantizer) -> None:
    """Rounds the codebooks, in place, to multiples of 1/256, of which all sums are exact."""
    quantizer.codebooks.data.mul_(OCTAVE).round_().div_(OCTAVE)


def fit_tables(
    quantizer: CodebookQuantizer,
    mean: Int64[np.ndarray, " B"],
    edges: Int64[np.ndarray, " edges"],
    maps: BandMaps,
    rounding: float,
    signals: Sequence[Float[np.ndarray, " n"]],
) -> SpeechModel:
    """The model whose tables are counted on signals of 16 kHz, from −1 to 1."""
    round_codebooks(quantizer)
    model = SpeechModel(quantizer, mean, edges, maps, blank_tables(quantizer), rounding)
    codec = SpeechCodec(model, bytes(32))
    shape = (2, SCALES, CONTEXTS, LARGEST + 1)
    counts = SpectrumCounts(np.zeros(shape), np.zeros(shape), np.zeros(shape[:-1]))
    pairs = np.zeros((quantizer.stages, *(quantizer.codebook_size,) * 3))
    for signal in signals:
        analysis = codec.analyse(signal)
        _count_indices(pairs, analysis.indices)
        for step in STEPS:
            quantised = codec.quantise(analysis, step).quantised
            scaled = np.abs(analysis.spectrum) * np.exp2((analysis.bins.step + step) / -512)
            _count_bins(counts, np.abs(quantised), scaled, scale_classes(analysis.bins.ratio - step))
    tables = Tables(_bin_frequencies(counts), _levels(counts), _index_frequencies(pairs), _change_frequencies())
    return model._replace(tables=tables)


def blank_tables(quantizer: CodebookQuantizer) -> Tables:
    """Tables in which all symbols are alike."""
    size = quantizer.codebook_size
    return Tables(
        _frequencies(np.ones((2, SCALES, CONTEXTS, 2 * LARGEST + 1))),
        np.zeros((2, SCALES, CONTEXTS, LARGEST + 1), np.int16),
        _frequencies(np.ones((quantizer.stages, size, size, size))),
        _change_frequencies(),
    )


def _count_indices(pairs: Float[np.ndarray, "M K K K"], indices: Int64[np.ndarray, "F M"]) -> None:
    before, last = np.zeros_like(indices), np.zeros_like(indices)
    before[1:], last[:, 1:] = indices[:-1], indices[:, :-1]
    np.add.at(pairs, (np.arange(indices.shape[1]), before, last, indices), 1)


def _count_bins(
    counts: SpectrumCounts,
    magnitudes: Int[np.ndarray, "F N"],
    scaled: Float[np.ndarray, "F N"],
    scales: Int64[np.ndarray, "F N"],
) -> None:
    symbols = np.minimum(magnitudes, LARGEST)
    classes = (PARITY * SCALES + scales) * CONTEXTS + all_contexts(magnitudes)
    place, size = (classes * (LARGEST + 1) + symbols).ravel(), counts.number.size
    counts.number[:] += np.bincount(place, minlength=size).reshape(counts.number.shape)
    counts.total[:] += np.bincount(place, scaled.ravel(), minlength=size).reshape(counts.number.shape)
    zero = symbols == 0
    counts.power[:] += np.bincount(classes[zero], scaled[zero] ** 2, minlength=counts.power.size).reshape(
        counts.power.shape
    )


def _bin_frequencies(counts: SpectrumCounts) -> Int[np.ndarray, "2 S X values"]:
    """Counts, smoothed by those of neighbouring scale classes and those of all context classes."""
    number = counts.number.copy()
    number[:, 1:] += NEIGHBOUR * counts.number[:, :-1]
    number[:, :-1] += NEIGHBOUR * counts.number[:, 1:]
    total = counts.number.sum((0, 1, 2))
    prior = counts.number.sum((0, 2))[None, :, None] + 1e-3 * total + 1e-9 * total.sum()
    number += PRIOR * prior / prior.sum(-1, keepdims=True)
    signed = np.concatenate([number[..., :0:-1] / 2, number[..., :1], number[..., 1:] / 2], -1)
    return _frequencies(signed)


def _index_frequencies(pairs: Float[np.ndarray, "M K K K"]) -> Int[np.ndarray, "M K K K"]:
    """Given the index before and that of the frame before; where these are rare, given the latter alone."""
    size = pairs.shape[-1]
    given_frame = pairs.sum(2, keepdims=True) + INDEX_PRIOR / size
    return _frequencies(pairs + INDEX_PRIOR * given_frame / given_frame.sum(-1, keepdims=True))


def _change_frequencies() -> Int[np.ndarray, " C"]:
    return _frequencies(CHANGE_DECAY ** np.abs(np.arange(-LARGEST_CHANGE, LARGEST_CHANGE + 1.0)))


def _frequencies(weights: Float[np.ndarray, "*n K"]) -> Int[np.ndarray, "*n K"]:
    shares = np.maximum(weights / weights.sum(-1, keepdims=True), LEAST)
    return to_frequencies((shares * (1 << 20)).astype(np.int64)).astype(np.int32)


def _levels(counts: SpectrumCounts) -> Int[np.ndarray, "2 S X levels"]:
    """Centroids, and the noise's largest magnitude, √3 times its root mean square, in 1/256 step."""
    middle = np.arange(LARGEST + 1.0)
    levels = (counts.total + CENTROID_PRIOR * middle) / (counts.number + CENTROID_PRIOR)
    levels[..., LARGEST] = LARGEST
    power = (counts.power + CENTROID_PRIOR * ZERO_POWER) / (counts.number[..., 0] + CENTROID_PRIOR)
    share = np.array(NOISE)[np.minimum(np.arange(len(THRESHOLDS) + 1), len(NOISE) - 1)]
    levels[..., 0] = share * np.sqrt(3 * power)
    return np.round(levels * 256).astype(np.int16)
