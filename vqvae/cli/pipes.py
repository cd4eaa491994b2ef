"""`-` as an input or output: standard input and standard output in place of a file."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vqvae.errors import UsageError

PIPE = Path("-")


@contextmanager
def input_from_pipe(inputs: Sequence[Path], output: Path | None) -> Iterator[Sequence[Path]]:
    """The inputs, with a temporary file in place of `-`.

    Args:
        inputs: files and folders, or `-` alone.
        output: a file, a folder, or `-`.

    Raises:
        UsageError: there is more than one input, or no output.
    """
    if PIPE in (*inputs, output) and (len(inputs) > 1 or inputs[0].is_dir()):
        raise UsageError("- stands for a single file: name one input")
    if PIPE not in inputs:
        yield inputs
        return
    if output is None:
        raise UsageError("the input is -, so there is no place beside it: name the output with -o, which may be -")
    with TemporaryDirectory() as folder:
        source = Path(folder, "stdin")
        with source.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield [source]


@contextmanager
def output_to_pipe(output: Path | None, suffix: str) -> Iterator[Path | None]:
    """The output, with a temporary file in place of `-`; what was written to it goes out when the block ends.

    Args:
        output: a file, a folder, or `-`.
        suffix: of the output, where it is `-`.
    """
    if output != PIPE:
        yield output
        return
    with TemporaryDirectory() as folder:
        target = Path(folder, f"stdout{suffix}")
        yield target
        if target.exists():
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()
