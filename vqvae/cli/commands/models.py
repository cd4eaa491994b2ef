"""The `models` command: the bundled models."""

import json
from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the bundled models, for images and then for speech.

    kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    For variable-rate models, payload and PSNR are means over their rates.
    """
    from vqvae.cli.inspect import describe_models, describe_speech_models
    from vqvae.cli.tables import print_table

    images, speech = describe_models(), describe_speech_models()
    if as_json:
        print(json.dumps([*images, *speech], indent=2))
        return
    for rows in filter(None, (images, speech)):
        print_table(list(rows[0]), [list(row.values()) for row in rows])
