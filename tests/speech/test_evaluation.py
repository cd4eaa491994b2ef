"""The measures of speech, and the figures made of them."""

import sys

import numpy as np
import pytest

from vqvae.errors import MissingPackageError
from vqvae.evaluation.speech import SpeechResult, summarise_speech
from vqvae.evaluation.speech_quality import speech_quality, weighted_snr


@pytest.mark.parametrize("decibels", [0, 13, 30])
def test_an_error_like_the_signal_has_the_ratio_of_both_whatever_the_weights(speech, decibels):
    decoded = speech * (1 + 10 ** (-decibels / 20))
    assert weighted_snr(speech, decoded) == pytest.approx(decibels, abs=1e-3)


def test_noise_below_the_formants_is_weighted_less_than_noise_between_them(speech):
    white = np.random.default_rng(0).standard_normal(len(speech))
    white *= np.sqrt(np.square(speech).mean() / np.square(white).mean())
    assert weighted_snr(speech, speech + 0.1 * white) < weighted_snr(speech, speech * 1.1) - 5


def test_a_perfect_copy_reaches_the_limit(speech):
    assert weighted_snr(speech, speech) == 40


def test_the_summary_is_mean_and_quantiles_of_each_coder_and_rate():
    results = [SpeechResult(str(n), "ours", 8.0, 7.5, float(n), 0.5, 10.0) for n in range(41)]
    results.append(SpeechResult("0", "Opus CBR", 8.0, 8.1, 3.0, 0.7, 12.0))
    ours, opus = summarise_speech(results)
    assert (ours["coder"], ours["target"], ours["recordings"], ours["kbps"]) == ("ours", 8.0, 41, 7.5)
    assert (ours["pesq"], ours["pesq_low"], ours["pesq_high"]) == pytest.approx((20, 1, 39))
    assert ours["pesq_sd"] == pytest.approx(np.sqrt((41**2 - 1) / 12))  # of a discrete uniform distribution
    assert (opus["recordings"], opus["pesq"], opus["pesq_low"], opus["stoi_sd"]) == (1, 3.0, 3.0, 0.0)


def test_without_pesq_the_extra_is_named(monkeypatch, speech):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(MissingPackageError, match=r"pesq.*vqkit\[speech\]"):
        speech_quality(speech, speech)
