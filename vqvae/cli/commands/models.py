"""The `models` command: the bundled models."""

import json
from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the bundled models; kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    For variable-rate models, payload and PSNR are means over their rates.
    """
    from vqvae.cli.inspect import describe_models
    from vqvae.cli.tables import print_table

    rows = describe_models()
    if as_json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
