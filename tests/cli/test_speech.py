"""Speech through the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.speech.conftest import vowel
from vqvae.cli.main import app
from vqvae.media.audio import read_audio, write_audio

pytest.importorskip("soundfile")
SAMPLES = vowel(1.5)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    write_audio(SAMPLES, 16000, path, ".wav")
    return path


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("constant", [[], ["--constant"]])
def test_a_recording_goes_there_and_back(recording, constant):
    call("encode", recording, "--kbps", "32", *constant)
    coded = recording.with_suffix(".vqs")
    assert coded.stat().st_size * 8 / 1.5 <= 32000
    call("decode", coded, "-o", recording.with_name("back.flac"))
    back = read_audio(recording.with_name("back.flac"), 16000).samples
    assert np.square(back - SAMPLES).mean() < 0.05 * np.square(SAMPLES).mean()
    facts = json.loads(call("info", coded, "--json"))
    assert facts["samples"] == len(SAMPLES) and facts["rate"] == ("constant" if constant else "average")
    assert facts["kbps"] <= 32 and facts["bytes"] == coded.stat().st_size


def test_folders_keep_their_tree(recording, tmp_path):
    call("encode", tmp_path, "-o", tmp_path / "small")
    assert (tmp_path / "small" / "speech.vqs").is_file()


def test_a_damaged_file_is_named_and_the_exit_code_is_1(recording):
    call("encode", recording)
    coded = recording.with_suffix(".vqs")
    coded.write_bytes(coded.read_bytes()[:-1])
    result = CliRunner().invoke(app, ["decode", str(coded), "-o", str(recording.with_name("x.wav"))])
    assert result.exit_code == 1 and not recording.with_name("x.wav").exists()
