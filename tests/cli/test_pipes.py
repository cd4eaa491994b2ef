"""`-` for standard input and output, and other ways to call the program."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from vqvae import __version__
from vqvae.media.images import read_image


def run(*arguments: object, given: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "vqvae", *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, cwd=REPOSITORY)
    assert done.returncode == code and b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.slow
def test_an_image_goes_through_pipes_there_and_back(tiny_model, tiny_codec, photo_file):
    data = run("encode", "-", "-o", "-", "--model", tiny_model, given=photo_file.read_bytes()).stdout
    image = read_image(photo_file)
    assert data == tiny_codec.compress(image)
    png = run("decode", "-", "-o", "-", "--model", tiny_model, given=data).stdout
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), tiny_codec.decompress(data))
    webp = run("decode", "-", "-o", "-", "--format", "webp", "--model", tiny_model, given=data).stdout
    assert Image.open(io.BytesIO(webp)).format == "WEBP"


@pytest.mark.slow
def test_damaged_input_is_one_line_and_nothing_goes_out(tiny_model):
    done = run("decode", "-", "-o", "-", "--model", tiny_model, given=b"nothing", code=1)
    assert done.stdout == b"" and b"stdin: not a .vqz file" in done.stderr and done.stderr.count(b"\n") == 1


def test_one_side_may_be_a_file(vqvae, photo_file, tmp_path, tiny_codec, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(photo_file.read_bytes())))
    vqvae("encode", "-", "-o", tmp_path / "small.vqz")
    assert (tmp_path / "small.vqz").read_bytes() == tiny_codec.compress(read_image(photo_file))


@pytest.mark.parametrize(
    "arguments", [["-"], ["-", "a.png", "-o", "x"], [".", "-o", "-"], ["a.png", "b.png", "-o", "-"]]
)
def test_a_pipe_is_a_single_file_with_an_output(vqvae, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "error: " in vqvae("encode", *arguments, code=2).output
    assert list(Path().iterdir()) == []


def test_figures_can_go_to_standard_output(vqvae, tree):
    assert json.loads(vqvae("eval", tree, "--json", "-").stdout)["images"] == 2
    listed = json.loads(vqvae("models", "--json", "-").stdout)["models"]
    assert [model["model"] for model in listed] == ["tiny", "speech"]


def test_the_version(vqvae):
    assert vqvae("--version").stdout == f"vqvae {__version__}\n"


def test_reports_that_exist_are_kept_unless_forced_and_told_before_any_work(vqvae, tree, tmp_path):
    report = tmp_path / "report.json"
    report.write_text("precious")
    assert "report.json: exists: --force replaces it" in vqvae("eval", "missing", "--json", report, code=2).output
    assert report.read_text() == "precious"
    vqvae("eval", tree, "--json", report, "--force")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "x.json", tmp_path):
        said = vqvae("eval", "missing", "--json", place, "--force", code=2 if place == tmp_path else 1)
        assert str(place if place == tmp_path else tmp_path / "file") in said.output


def test_two_processes_on_one_folder_leave_whole_files(tiny_model, tiny_codec, tmp_path):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(256, size=(12, 40, 40, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number:02}.png")
    command = [sys.executable, "-m", "vqvae", "encode", tmp_path / "in", "-o", tmp_path / "out", "--model", tiny_model]
    both = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0 and "0 failed" in said, said
    written = sorted((tmp_path / "out").iterdir())
    assert [path.read_bytes() for path in written] == [tiny_codec.compress(pixels) for pixels in noise]
