"""Speech through the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.speech.conftest import vowel
from vqvae.cli.main import app
from vqvae.media.audio import read_audio, write_audio
from vqvae.models.store import load

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
    facts = json.loads(call("info", coded, "--json", "-"))
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


def test_each_failure_is_one_line_with_the_files_name_once_and_nothing_is_written(recording):
    names = ["text.wav", "empty.wav", "missing.wav"]
    text, empty, missing = map(recording.with_name, names)
    text.write_text("not a sound")
    write_audio(np.zeros(0), 16000, empty, ".wav")
    result = CliRunner().invoke(app, ["encode", str(text), str(empty), str(missing), str(recording)])
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in errors] == [str(text), str(empty), str(missing)]
    assert all(line.count(name) == 1 for line, name in zip(errors, names, strict=True))
    assert [path.name for path in recording.parent.glob("*.vqs")] == ["speech.vqs"]


def test_a_type_of_sound_that_cannot_be_written_is_refused(recording):
    call("encode", recording)
    output = recording.with_name("back.raw")
    result = CliRunner().invoke(app, ["decode", str(recording.with_suffix(".vqs")), "-o", str(output)])
    assert result.exit_code == 1 and "use .wav or .flac" in result.stderr and not output.exists()


def test_a_file_of_another_model_is_described_but_not_decoded(recording):
    call("encode", recording)
    coded = recording.with_suffix(".vqs")
    data = coded.read_bytes()
    assert json.loads(call("info", coded, "--json", "-"))["model"] == "speech"
    coded.write_bytes(data[:6] + b"abc" + data[9:])
    facts = json.loads(call("info", coded, "--json", "-"))
    assert facts["model"] is None and facts["model_id"] == "616263" and facts["samples"] == len(SAMPLES)
    result = CliRunner().invoke(app, ["decode", str(coded), "-o", str(recording.with_name("x.wav"))])
    assert result.exit_code == 1 and "--model" in result.stderr and not recording.with_name("x.wav").exists()


@pytest.mark.parametrize("kbps", [5, 65])
def test_a_rate_out_of_range_is_wrong_usage(recording, kbps):
    result = CliRunner().invoke(app, ["encode", str(recording), "--kbps", str(kbps)])
    assert result.exit_code == 2 and not recording.with_suffix(".vqs").exists()


def test_speech_goes_through_pipes_there_and_back(recording):
    samples = read_audio(recording, 16000).samples
    data = pipe(recording.read_bytes(), "encode", "-", "-o", "-", "--kbps", "16.4")
    assert data == load("speech").compress(samples, 16.4)
    flac = pipe(data, "decode", "-", "-o", "-", "--format", "flac")
    recording.with_name("piped").write_bytes(flac)
    assert flac.startswith(b"fLaC")
    back = read_audio(recording.with_name("piped"), 16000).samples
    np.testing.assert_allclose(back, load("speech").decompress(data), atol=1 / 32768)


def pipe(given: bytes, *arguments: str) -> bytes:
    result = CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


@pytest.mark.parametrize(
    "command, arguments, rule",
    [
        ("encode", ["--quality", "50"], "are for images: leave them out"),
        ("encode", ["-o", "small.vqz"], "of a wrong type: name a folder, or a file of type .vqs"),
        ("encode", ["speech.wav", "-o", "small.vqs"], "the inputs are several: name a folder"),
        ("encode", ["--model", "tiny"], "not for speech"),
        ("eval", ["--crops", "crops.png"], "are for images: leave them out"),
        ("eval", ["--against", "jpeg"], "choose from opus, lc3"),
    ],
)
def test_what_does_not_suit_speech_is_one_line_and_nothing_is_written(
    recording, vqvae, monkeypatch, command, arguments, rule
):
    monkeypatch.chdir(recording.parent)
    result = vqvae(command, "speech.wav", *arguments, code=1 if "--model" in arguments else 2)
    assert rule in " ".join(result.stderr.split())
    assert [path.name for path in recording.parent.iterdir()] == ["speech.wav"]


def test_the_bundled_speech_model_is_listed(vqvae):
    listed = {row["model"]: row for row in json.loads(vqvae("models", "--json", "-").stdout)["models"]}
    assert listed["speech"]["model_id"] == load("speech").model_id.hex()[:6]
    assert listed["speech"]["kbps"] == [6, 64] and "parameters" not in listed["speech"]
    assert "6 to 64 kbit/s" in vqvae("models").stdout
