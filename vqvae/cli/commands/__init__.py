"""The commands of `vqvae` and their options. Light to import, so that `--help` is fast."""

from collections.abc import Container
from pathlib import Path
from typing import NoReturn

import typer


def finish(all_done: bool) -> NoReturn:
    """Exits a command with its exit code."""
    raise typer.Exit(0 if all_done else 1)


def is_speech(path: Path, suffixes: Container[str], others: Container[str]) -> bool:
    """Whether a command works on speech: the file is of one of its types, or the first known file of the folder is.

    Args:
        path: the first input.
        suffixes: of the types of speech.
        others: of the types of images.
    """
    from vqvae.bulk.plan import walk

    if not path.is_dir():
        return path.suffix.lower() in suffixes
    known = (file.suffix.lower() for file in walk(path))
    return next((suffix in suffixes for suffix in known if suffix in suffixes or suffix in others), False)
