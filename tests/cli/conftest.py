"""What the tests of the command lines share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from vqvae.cli import compress
from vqvae.errors import VqvaeError


@pytest.fixture
def vqvae(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command with the tiny model as the only shipped one."""
    from vqvae.models import store

    monkeypatch.setattr(store, "FOLDER", tiny_model.parent)
    monkeypatch.setattr(store, "SMALL_IMAGES", "tiny")
    monkeypatch.setattr(store, "PHOTOGRAPHS", "tiny")

    def run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(compress.app, [str(argument) for argument in arguments])
        if isinstance(result.exception, VqvaeError):
            assert code == 1, result.exception
        else:
            assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def tree(photo: np.ndarray, tmp_path: Path) -> Path:
    """photos/a.png, photos/deep/er/b.jpg and a text."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo[:20]).save(folder / "deep" / "er" / "b.jpg")
    (folder / "notes.txt").write_text("not an image")
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def errors(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith("error: ")]
