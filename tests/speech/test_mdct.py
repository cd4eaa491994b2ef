import numpy as np
import pytest

from vqvae.speech.mdct import FRAME, frame_count, imdct, mdct, window


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 5000])
def test_the_inverse_returns_the_signal(samples):
    signal = np.random.default_rng(samples).standard_normal(samples)
    spectrum = mdct(signal)
    assert spectrum.shape == (frame_count(samples), FRAME)
    np.testing.assert_allclose(imdct(spectrum, samples), signal, atol=1e-12)


def test_energy_is_kept():
    signal = np.random.default_rng(0).standard_normal(3200)
    assert (mdct(signal) ** 2).sum() == pytest.approx((signal**2).sum())


def test_the_window_is_flat_for_10_ms_and_30_ms_long():
    shape = window()
    assert np.count_nonzero(shape) == 480 and np.count_nonzero(shape == 1) == 160


def test_a_sine_is_where_its_frequency_is():
    spectrum = mdct(np.sin(2 * np.pi * 1012.5 * np.arange(6400) / 16000))
    assert set(np.abs(spectrum[2:-2]).argmax(1)) <= {39, 40, 41}  # 25 Hz a bin
