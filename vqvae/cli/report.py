"""What commands report as JSON: one shape for all of them, which docs/json.md describes."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqvae import __version__
from vqvae.bulk.outputs import claim_report
from vqvae.cli.progress import ItemError
from vqvae.errors import UsageError
from vqvae.media.atomic import atomic_path

STDOUT = "-"


def claim_json(json_file: str | None, overwrite: bool, output: Path | None = None) -> None:
    """Makes sure, before any work, that a report can be written.

    Args:
        json_file: where to; `-` for standard output.
        overwrite: whether to replace a file that exists.
        output: where the command writes what it makes.

    Raises:
        UsageError: the file exists, or both are standard output.
        OSError: its folder cannot be written to.
    """
    if json_file == STDOUT:
        if output == Path(STDOUT):
            raise UsageError("--json - and -o - both write to standard output: name a file for one of them")
        return
    claim_report(None if json_file is None else Path(json_file), "--json", overwrite)


def publish(
    command: str,
    figures: Mapping[str, Any],
    json_file: str | None,
    errors: Sequence[ItemError] = (),
    show: Callable[[], None] | None = None,
) -> None:
    """Shows figures, and writes them as JSON; to standard output instead, where the file is `-`.

    Args:
        command: that was run.
        figures: all there is to say, by name.
        json_file: where to write it, if anywhere.
        errors: what went wrong, item by item.
        show: prints what a person is to read.
    """
    if show is not None and json_file != STDOUT:
        show()
    if json_file is None:
        return
    begin, end = {"command": command, "program": f"vqvae {__version__}"}, [error._asdict() for error in errors]
    text = json.dumps({**begin, **figures, "errors": end}, indent=1, allow_nan=False)
    if json_file == STDOUT:
        print(text)
        return
    with atomic_path(Path(json_file)) as temporary:
        temporary.write_text(text + "\n")
