"""The commands of `vqvae`: what each is given and does. Light to import, so that `--help` answers at once."""

from typing import NoReturn

import typer


def finish(all_done: bool) -> NoReturn:
    """Ends a command with its exit code."""
    raise typer.Exit(0 if all_done else 1)
