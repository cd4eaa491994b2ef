import numpy as np
import pytest

from vqvae.speech.envelope import FLOOR, OCTAVE, log_energies, make_maps, mel_edges, to_bins, uniform_edges
from vqvae.speech.mdct import FRAME

FREQUENCIES = np.pi * (np.arange(FRAME) + 0.5) / FRAME


def log_power(filter_: np.ndarray) -> np.ndarray:
    """log2 |1 / A|² at the centres of bins."""
    powers = np.exp(-1j * FREQUENCIES[:, None] * np.arange(len(filter_)))
    return -2 * np.log2(np.abs(powers @ filter_))


def test_the_lifter_is_the_weighting_of_linear_prediction():
    poles = np.array([0.9 * np.exp(0.4j), 0.8 * np.exp(1.3j), 0.85 * np.exp(2.2j)])
    prediction = np.poly(np.concatenate([poles, poles.conj()])).real
    maps = make_maps(np.arange(FRAME + 1), level=1.0, shape=1.0, decay=0.92, tilt=0.0)
    envelope = np.round(log_power(prediction) * OCTAVE).astype(np.int64)
    weighted = log_power(prediction * 0.92 ** np.arange(len(prediction)))
    np.testing.assert_allclose(to_bins(envelope, maps).step / OCTAVE, weighted, atol=0.05)


def test_tilt_follows_a_de_emphasis_filter():
    maps = make_maps(uniform_edges(16), level=1.0, shape=1.0, decay=1.0, tilt=-0.6)
    np.testing.assert_allclose(maps.offset / OCTAVE, -0.6 * log_power(np.array([1, -0.68])), atol=0.002)


def test_a_flat_envelope_moves_the_noise_by_its_level_alone():
    maps = make_maps(mel_edges(20), level=0.6, shape=0.35, decay=0.92, tilt=0.0)
    bins = to_bins(np.full((1, 20), 10 * OCTAVE), maps)
    np.testing.assert_allclose(bins.step / OCTAVE, 6, atol=0.05)
    np.testing.assert_allclose((bins.step + bins.ratio) / OCTAVE, 10, atol=0.05)


def test_integers_are_exact_whatever_the_order_of_sums():
    maps = make_maps(mel_edges(20), level=0.6, shape=0.35, decay=0.92, tilt=-0.6)
    envelopes = np.random.default_rng(0).integers(-8000, 8000, (50, 20))
    step = (envelopes @ maps.weighting.astype(np.int64) >> 12) + maps.offset
    assert np.array_equal(to_bins(envelopes, maps).step, step)
    assert np.array_equal(to_bins(envelopes, maps).ratio, (envelopes @ maps.interpolation.astype(np.int64) >> 8) - step)


@pytest.mark.parametrize("edges", [mel_edges(16), mel_edges(20), uniform_edges(16)])
def test_bands_cover_all_bins(edges):
    assert edges[0] == 0 and edges[-1] == FRAME and (np.diff(edges) >= 4).all()


def test_energies_are_means_over_bands():
    spectrum = np.full((2, FRAME), 64.0)
    np.testing.assert_allclose(log_energies(spectrum, mel_edges(20)), np.log2(4096 + FLOOR))
