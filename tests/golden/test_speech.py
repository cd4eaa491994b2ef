"""Files of speech written by earlier versions: the same integers for ever, and the same signal but for rounding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae.formats.vqs import unpack_speech
from vqvae.models.speech import load_speech
from vqvae.speech.codec import SpeechCodec

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.vqs"))


def codec_of(path: Path) -> SpeechCodec:
    return load_speech(FOLDER / f"{path.stem.rpartition('-')[0]}.safetensors")


def test_there_are_golden_files_of_both_kinds_of_rate():
    assert {path.stem for path in FILES} >= {"v1-speech-average", "v1-speech-constant"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_integers_are_exactly_those_that_were_written(path, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    codec, expected = codec_of(path), np.load(path.with_suffix(".npz"))
    frames = list(codec.read(unpack_speech(path.read_bytes(), codec.model_id)))
    torch.set_num_threads(before)
    for name in frames[0]._fields:
        np.testing.assert_array_equal(np.stack([getattr(frame, name) for frame in frames]), expected[name])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_signal_is_the_same_but_for_rounding(path):
    decoded = codec_of(path).decompress(path.read_bytes()) * 32768
    np.testing.assert_allclose(decoded, np.load(path.with_suffix(".npz"))["signal"], atol=0.51)
