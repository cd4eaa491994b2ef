"""Training in two processes, over gloo, is training in one with both batches together."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributed")
    for processes in ("1", "2"):
        command = [sys.executable, "-m", "tests.training.distributed_run", processes, str(folder / processes)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def results(trained: Path, processes: int, case: str) -> list[dict[str, Any]]:
    return [torch.load(trained / str(processes) / case / f"{rank}.pt") for rank in range(processes)]


@pytest.mark.parametrize("case", ["ste", "ema", "initialized", "resumed"])
def test_two_processes_end_with_equal_codebooks(trained, case):
    first, second = results(trained, 2, case)
    assert torch.equal(first["codebooks"], second["codebooks"])


def test_two_processes_resume_as_if_nothing_had_happened(trained):
    whole, resumed = (results(trained, 2, case)[0] for case in ("initialized", "resumed"))
    assert torch.equal(whole["codebooks"], resumed["codebooks"])
    assert whole["logged"] == resumed["logged"]  # which counts what both saw before and after the checkpoint


@pytest.mark.parametrize(("estimator", "rounding"), [("ste", 1e-4), ("ema", 1e-6)])
def test_two_processes_do_what_one_does_with_both_batches(trained, estimator, rounding):
    """Half of the codewords start out of reach, so that replacements are part of it."""
    first, second = results(trained, 2, estimator)
    (alone,) = results(trained, 1, estimator)
    torch.testing.assert_close(first["codebooks"], alone["codebooks"], rtol=0, atol=rounding)
    assert alone["codebooks"].abs().max() < 50  # all were replaced
    for stage in range(3):
        for name in ("usage", "replaced", "perplexity"):
            key = f"codebook_{stage}/{name}"
            assert first["logged"][key] == second["logged"][key] == pytest.approx(alone["logged"][key], rel=0.02)
