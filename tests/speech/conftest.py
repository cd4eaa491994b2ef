from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from vqvae.models.speech import load_speech
from vqvae.models.store import find_model
from vqvae.speech.codec import SpeechCodec


def vowel(seconds: float, seed: int = 0) -> np.ndarray:
    """Pulses with a wandering pitch through three formants that move, with pauses and a little noise; 16 kHz."""
    draws = np.random.default_rng(seed)
    count = int(16000 * seconds)
    pitch = 120 + 40 * np.sin(2 * np.pi * 1.3 * np.arange(count) / 16000 + seed)
    pulses = (np.diff(np.floor(np.cumsum(pitch) / 16000), prepend=0) > 0).astype(np.float64)
    loudness = np.clip(np.sin(2 * np.pi * 1.1 * np.arange(count) / 16000) + 0.3, 0, 1)
    sound = np.zeros(count)
    for start in range(0, count, 3200):
        part = (pulses + 0.02 * draws.standard_normal(count))[start : start + 3200]
        for formant in draws.uniform([300, 900, 2200], [800, 2000, 3200]):
            pole = 0.97 * np.exp(2j * np.pi * formant / 16000)
            part = lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], part)
        sound[start : start + 3200] = part
    sound *= loudness
    return (0.3 * sound / np.abs(sound).max() + 1e-4 * draws.standard_normal(count)).astype(np.float32)


@pytest.fixture(scope="session")
def codec() -> SpeechCodec:
    return load_speech(find_model("speech"))


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    return vowel(3)


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).parents[1] / "golden"
