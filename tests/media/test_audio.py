import sys

import numpy as np
import pytest
import soundfile

from vqvae.errors import AudioError, MissingPackageError
from vqvae.media.audio import read_audio, resample, write_audio

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_16_bit_samples_come_back(tmp_path, suffix):
    path = tmp_path / f"tone{suffix}"
    write_audio(TONE, 16000, path, suffix)
    recording = read_audio(path, 16000)
    assert recording.changes == () and np.abs(recording.samples - TONE).max() <= 0.5 / 32768 + 1e-7


def test_loud_samples_are_clipped(tmp_path):
    write_audio(np.array([-3.0, 3.0]), 16000, tmp_path / "x.wav", ".wav")
    assert read_audio(tmp_path / "x.wav", 16000).samples.tolist() == [-1, 32767 / 32768]


def test_other_rates_and_channels_are_converted_with_a_word(tmp_path):
    time = np.arange(22050) / 44100
    soundfile.write(tmp_path / "x.wav", np.stack([np.sin(880 * np.pi * time), np.zeros(22050)], 1), 44100, "FLOAT")
    recording = read_audio(tmp_path / "x.wav", 16000)
    assert recording.changes == ("2 channels mixed into one", "resampled from 44100 to 16000 Hz")
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    np.testing.assert_allclose(recording.samples[200:-200], expected[200:-200], atol=2e-3)


def test_resampling_removes_what_the_new_rate_cannot_hold():
    high = np.sin(2 * np.pi * 12000 * np.arange(48000) / 48000)
    assert np.abs(resample(high, 48000, 16000)[100:-100]).max() < 0.01


def test_files_that_are_no_sound_are_named_as_such(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"nothing of the kind")
    with pytest.raises(AudioError, match="not a sound file"):
        read_audio(tmp_path / "x.wav", 16000)
    with pytest.raises(AudioError, match=r"'\.mov': use \.wav or \.flac"):
        write_audio(TONE, 16000, tmp_path / "x.mov", ".mov")


def test_without_soundfile_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingPackageError, match=r"vqkit\[speech\]"):
        read_audio(tmp_path / "x.wav", 16000)
