"""What the tree promises: imports run downwards, and a command loads no more than it needs."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def at_repository() -> dict[str, str]:
    """The environment in which this copy of the package is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


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


WITHOUT_TRAIN = """
import sys
EXTRA = {"torchvision", "pytorch_lightning", "torchmetrics", "hydra", "omegaconf", "tensorboard", "skimage", "scipy"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRA:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
"""An environment with the core's packages alone: those of the extra `train` cannot be imported."""


def test_the_core_compresses_and_tells_of_files_without_the_packages_for_training(photo_file):
    code = f"""{WITHOUT_TRAIN}
from vqvae.cli.main import app
for arguments in ("encode photo.png", "decode photo.vqz -o back.png", "info photo.vqz", "models",
                  "compare photo.png -o page.html", "encode photo.png --archive all.vqa", "decode all.vqa -o out"):
    app(arguments.split(), standalone_mode=False)
import vqvae, vqvae.pillow, vqvae.quantizers, vqvae.search
from pathlib import Path
from vqvae.data.archive import ArchivedImages
print(ArchivedImages(Path("all.vqa"), vqvae.load("cifar10-rvq-16"))[0].shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=photo_file.parent, capture_output=True, text=True, env=at_repository()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "torch.Size([3, 37, 53])" in done.stdout


@pytest.mark.parametrize(
    ("code", "package"),
    [
        ("from vqvae.cli.train import run; run()", "hydra"),
        ("import vqvae.cli.main as cli; cli.main(['eval', 'photo.png'])", "torchmetrics"),
        ("import vqvae.cli.main as cli; cli.main(['eval', 'cifar10:test'])", "torchmetrics"),
    ],
)
def test_commands_that_need_more_say_what_to_install_in_one_line(code, package, photo_file):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRAIN + code],
        cwd=photo_file.parent,
        capture_output=True,
        text=True,
        env=at_repository(),
    )
    assert done.returncode == 1
    assert done.stderr == f"error: {package} is not installed: pip install 'vqkit[train]'\n"


def test_so_do_the_packages_for_training():
    for code in ("import vqvae.training", "from vqvae.data import CIFAR10"):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TRAIN + code], capture_output=True, text=True, cwd=REPOSITORY
        )
        assert "MissingPackageError: " in done.stderr and "pip install 'vqkit[train]'" in done.stderr


def test_the_two_scripts_only_launch_the_command_lines():
    assert "encode" in python("compress.py", "--help")
    assert "experiment" in python("train.py", "--help")
