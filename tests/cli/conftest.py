"""What the tests of the command lines share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vqvae.cli.main import main


@dataclass(frozen=True)
class Result:
    """What a command said, on standard output and standard error, and how it ended."""

    stdout: str
    stderr: str
    exit_code: int

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@pytest.fixture
def vqvae(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command with the tiny model as the only bundled one, and checks its exit code."""
    from vqvae.models import store

    monkeypatch.setattr(store, "FOLDER", tiny_model.parent)
    monkeypatch.setattr(store, "SMALL_IMAGES", "tiny")
    monkeypatch.setattr(store, "PHOTOGRAPHS", "tiny")

    def run(*arguments: object, code: int = 0) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        result = Result(*capsys.readouterr(), int(ended.value.code or 0))
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
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
