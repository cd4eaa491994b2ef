"""Sound files as a library: to .vqs files and back without a command line."""

from pathlib import Path

import numpy as np
import pytest

import vqvae
from tests.speech.conftest import vowel
from vqvae.errors import AudioError, ModelFileError, UsageError
from vqvae.media.audio import read_audio, write_audio


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    write_audio(vowel(0.5), 16000, path, ".wav")
    return path


def test_a_sound_file_goes_there_and_back_as_its_samples_do(recording, tmp_path):
    small, back = tmp_path / "new" / "small.vqs", tmp_path / "back.wav"
    result = vqvae.compress_file(recording, small, kbps=24.4, constant=True)
    assert (result.source, result.target, result.samples, result.bytes) == (
        recording,
        small,
        8000,
        small.stat().st_size,
    )
    codec = vqvae.load("speech")
    assert small.read_bytes() == codec.compress(read_audio(recording, 16000).samples, 24.4, constant=True)
    assert vqvae.decompress_file(small, back).samples == 8000
    np.testing.assert_allclose(read_audio(back, 16000).samples, codec.decompress(small.read_bytes()), atol=0.51 / 32768)


def test_one_store_serves_images_and_speech(recording, tmp_path):
    store = vqvae.ModelStore()
    vqvae.compress_file(recording, tmp_path / "a.vqs", model=store)
    codec = store.speech
    vqvae.decompress_file(tmp_path / "a.vqs", tmp_path / "a.flac", model=store)
    assert store.speech is codec


def test_a_model_file_of_speech_is_loaded_by_its_path():
    path = vqvae.models.store.find_model("speech")
    assert vqvae.load(path).model_id == vqvae.load("speech").model_id


def test_images_and_speech_are_not_mistaken_for_each_other(recording, tmp_path):
    with pytest.raises(UsageError, match="are for speech"):
        vqvae.compress_file(recording, tmp_path / "x.vqz", kbps=8)
    with pytest.raises(UsageError, match="are for images"):
        vqvae.compress_file(recording, tmp_path / "x.vqs", quality=50.0)
    with pytest.raises(ModelFileError, match="not for speech"):
        vqvae.compress_file(recording, tmp_path / "x.vqs", model="photo")
    with pytest.raises(ModelFileError, match="not for images"):
        vqvae.ModelStore("speech").preload()
    with pytest.raises(AudioError, match=r"cannot write sound of type '.png'"):
        vqvae.compress_file(recording, tmp_path / "x.vqs")
        vqvae.decompress_file(tmp_path / "x.vqs", tmp_path / "x.png")
