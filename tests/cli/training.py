"""Trainings of a few steps through `train.py`: in this process, or in one of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from tests.conftest import REPOSITORY
from vqvae.cli.train.main import main

TINY = [
    "network=small",
    "network.encoder.channels=[8,8]",
    "network.encoder.hidden=[8,8]",
    "network.encoder.blocks=[1,1]",
    "network.decoder.channels=[8,8]",
    "network.decoder.hidden=[8,8]",
    "network.decoder.blocks=[1,1]",
    "quantizer.dim=8",
    "callbacks.initialize.vectors=500",
    "callbacks.maintain.period=2",
    "callbacks.checkpoint.every_n_train_steps=4",
    "trainer.log_every_n_steps=1",
    "trainer.val_check_interval=4",
    "trainer.max_steps=8",
    "trainer.accelerator=cpu",
    "data.batch_size=8",
    "entropy.hidden=[8,8]",
    "entropy.steps=5",
]
"""Of a training of images."""

TINY_VECTORS = [
    "experiment=toy",
    "quantizer.dim=8",
    "quantizer.stages=2",
    "quantizer.codebook_bits=2",
    "data.train=200",
    "data.test=100",
    "data.batch_size=50",
    "trainer.max_steps=4",
    "trainer.val_check_interval=2",
]
"""Of a training of vectors."""

WITHOUT_LOGGING = ["hydra/job_logging=disabled", "hydra/hydra_logging=disabled"]  # that of this process stays as it is


class Result(NamedTuple):
    """What a training printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


def image_settings(overrides: Sequence[str]) -> list[str]:
    """The settings of a tiny training of images, changed by some."""
    other_entropy_model = any(override.startswith("entropy=") for override in overrides)
    return [one for one in TINY if not (other_entropy_model and one.startswith("entropy."))] + [*overrides]


def train(folder: Path, *overrides: str, options: Sequence[str] = (), code: int = 0) -> Result:
    """Trains on images in this process, in a working folder."""
    return _check(run(folder, [*options, *image_settings(overrides)]), code)


def train_vectors(folder: Path, *overrides: str, options: Sequence[str] = ()) -> str:
    """Trains on vectors in this process, in a working folder, and returns what it prints."""
    return _check(run(folder, [*options, *TINY_VECTORS, *overrides]), 0).stdout


def train_in_process_of_its_own(folder: Path, *overrides: str, code: int = 0) -> Result:
    """Trains on images as a person does, from the shell."""
    command = [sys.executable, str(REPOSITORY / "train.py"), *image_settings(overrides)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return _check(Result(done.stdout, done.stderr, done.returncode), code)


def run(folder: Path, arguments: Sequence[str]) -> Result:
    """Calls the command's function with its arguments."""
    stdout, stderr, ending = StringIO(), StringIO(), None
    streams = patch.multiple(sys, argv=["train.py", *arguments, *WITHOUT_LOGGING], stdout=stdout, stderr=stderr)
    with chdir(folder), patch.dict(os.environ), streams:  # a training sets variables for its workers
        try:
            main()
        except SystemExit as error:
            ending = error.code
    said = f"{ending}\n" if isinstance(ending, str) else ""
    return Result(stdout.getvalue(), stderr.getvalue() + said, 1 if said else int(ending or 0))


def _check(result: Result, code: int) -> Result:
    assert result.code == code, result.stdout + result.stderr
    return result
