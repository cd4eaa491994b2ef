"""The commands of `vqvae`: what each is given and does. Light to import, so that `--help` answers at once."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import NoReturn

import typer


def finish(all_done: bool) -> NoReturn:
    """Ends a command with its exit code."""
    raise typer.Exit(0 if all_done else 1)


def holds(inputs: Sequence[Path], suffixes: Container[str]) -> bool:
    """Whether the first input is a file of one of these types, or a folder with one in it."""
    first = inputs[0]
    if not first.is_dir():
        return first.suffix.lower() in suffixes
    return any(file.suffix.lower() in suffixes for file in first.rglob("*"))
