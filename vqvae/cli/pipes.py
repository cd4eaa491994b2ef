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
def without_pipes(
    inputs: Sequence[Path], output: Path | None, suffix: str
) -> Iterator[tuple[Sequence[Path], Path | None]]:
    """Inputs and output with temporary files in place of `-`; the output is copied to standard output at the end.

    Args:
        inputs: files and folders, or `-` alone.
        output: a file, a folder, or `-`.
        suffix: of the output, if that is `-`.

    Raises:
        UsageError: there is more than one input, or no output.
    """
    if PIPE not in inputs and output != PIPE:
        yield inputs, output
        return
    if len(inputs) > 1 or inputs[0].is_dir():
        raise UsageError("- stands for a single file: name one input")
    if output is None:
        raise UsageError("the input is -, so there is no place beside it: name the output with -o, which may be -")
    with TemporaryDirectory() as folder:
        source, target = inputs[0], output
        if source == PIPE:
            source = Path(folder, "stdin")
            with source.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        if output == PIPE:
            target = Path(folder, f"stdout{suffix}")
        yield [source], target
        if output == PIPE and target.exists():
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()
