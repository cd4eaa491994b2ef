"""What the tree promises: imports run downwards, and a command loads no more than it needs."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout


def test_imports_run_downwards_only():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import vqvae",
        "import vqvae.quantizers",
        "import vqvae.models.file, vqvae.models.store",
        "import vqvae.data.archive",
        "import sys; sys.argv = ['vqvae', '--help']; from vqvae.cli.main import app; app(standalone_mode=False)",
    ],
)
def test_heavy_packages_are_loaded_by_training_alone(code):
    loaded = python("-c", f"import sys; {code}; print('modules:', *sys.modules)").rsplit("modules:", 1)[1].split()
    assert not {"pytorch_lightning", "torchvision", "skimage", "hydra", "omegaconf"} & set(loaded)


def test_help_is_answered_without_torch():
    code = "import sys; sys.argv = ['vqvae', '--help']; from vqvae.cli.main import app; app(standalone_mode=False)"
    assert "torch" not in python("-c", f"{code}; print('modules:', *sys.modules)").rsplit("modules:", 1)[1].split()


def test_the_two_scripts_only_launch_the_command_lines():
    assert "encode" in python("compress.py", "--help")
    assert "experiment" in python("train.py", "--help")
