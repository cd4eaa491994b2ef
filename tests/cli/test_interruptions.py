"""Commands that are stopped: nothing half-written, the right exit code, and the next run goes on."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from vqvae.models.file import load_codec

SIDE = 1024  # pixels: an image that is computed by itself, without waiting for the next to be read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
    for number in range(4):
        Image.fromarray(np.roll(noise, number)).save(folder / f"{number}.png", compress_level=0)
    return folder


def start(*arguments: object, largest_file: int | None = None) -> subprocess.Popen[str]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a process in the background ignores it
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, str(REPOSITORY / "compress.py"), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=prepare)


@pytest.mark.slow
def test_an_interrupted_command_leaves_whole_files_alone_and_is_finished_by_running_it_again(
    folder, tiny_model, tmp_path
):
    out = tmp_path / "small"
    inputs = sorted(folder.iterdir())
    original = inputs[2].read_bytes()
    inputs[2].unlink()
    os.mkfifo(inputs[2])  # reading it takes until someone writes, so that the command waits here
    command = ("encode", *inputs, "-o", out, "--model", tiny_model)
    process = start(*command)
    deadline = time.monotonic() + 60
    while not (out / "1.vqz").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert sorted(path.name for path in out.iterdir()) == ["0.vqz", "1.vqz"]
    inputs[2].unlink()
    inputs[2].write_bytes(original)
    again = start(*command)
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0 and "2 written, 2 kept, 0 failed" in said
    codec = load_codec(tiny_model)
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [f"{number}.vqz" for number in range(4)]
    for path in files:
        assert codec.decompress(path.read_bytes()).shape == (SIDE, SIDE, 3)


@pytest.mark.slow
def test_a_full_disk_is_one_line_for_each_file_and_leaves_nothing(folder, tiny_model, tmp_path):
    """A limit on the size of files stands in for the disk; both are an OSError of `write`."""
    out = tmp_path / "small"
    process = start("encode", folder / "0.png", folder / "1.png", "-o", out, "--model", tiny_model, largest_file=100)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and all("small/" in line and "File too large" in line for line in errors)
    assert "Traceback" not in said and list(out.iterdir()) == []
