"""The built wheel, away from the checkout: configs and bundled models inside, everything at work."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.training import TINY
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents, without its dependencies, which are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder / "site"),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "site"


def run(site: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_wheel_encodes_decodes_and_trains_in_another_folder(installed, tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    compress = "from vqvae.cli.main import main; main()"
    assert "photo.vqz" in run(installed, tmp_path, compress, "encode", "photo.png")
    run(installed, tmp_path, compress, "decode", "photo.vqz", "-o", "back.png")
    assert np.asarray(Image.open(tmp_path / "back.png")).shape == photo.shape
    where = run(installed, tmp_path, "import vqvae; print(vqvae.__file__)")
    assert str(installed) in where

    train = "from vqvae.cli.train.main import main; main()"
    said = run(installed, tmp_path, train, *TINY, "data=sample", "hydra.run.dir=out")
    assert "PSNR" in said
    own = str(tmp_path / "out" / "model.safetensors")
    run(installed, tmp_path, compress, "encode", "photo.png", "--model", own, "--force")
