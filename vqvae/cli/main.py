"""`compress.py`, also installed as `vqvae`: compresses and decompresses images and speech."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from vqvae import __version__
from vqvae.cli.commands import compare, decode, encode, evaluate, info, models
from vqvae.errors import UsageError, VqvaeError, one_line

# Torch takes a second to import, so each command imports what it needs when it runs: --help answers at once.

PRIMITIVES = "32"
"""Convolutions that oneDNN keeps compiled: one for each layer and image size. By default 1024."""

app = typer.Typer(
    help="Compress images and speech with vector-quantised autoencoders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(encode.encode)
app.command()(decode.decode)
app.command("eval")(evaluate.evaluate)
app.command()(compare.compare)
app.command()(info.info)
app.command()(models.models)


def _print_version(asked: bool) -> bool:
    if asked:
        print(f"vqvae {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line, and exits; errors are one line.

    Exit codes: 0 everything done, 1 something failed, 2 wrong usage, 130 interrupted. With the environment variable
    VQVAE_TRACEBACK, exceptions other than VqvaeError are printed with their traceback.

    Args:
        arguments: by default those of the program.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PRIMITIVES)
    warnings.filterwarnings("ignore", module="PIL")  # of large images and odd tags: relevant ones are reported by us
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what a console cannot print
    try:
        app(arguments)
    except Exception as error:
        if os.environ.get("VQVAE_TRACEBACK") and not isinstance(error, VqvaeError | OSError):
            raise
        print(f"error: {one_line(error, 'vqvae')}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
