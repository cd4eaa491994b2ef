"""The `models` command: the models that come with the package."""

import json
from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the bundled models, for images and then for speech.

    kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    Where a quality can be chosen, payload and PSNR are means over all rates.
    """
    from vqvae.cli.inspect import describe_models, describe_speech_models
    from vqvae.cli.tables import print_table

    images, speech = describe_models(), describe_speech_models()
    if as_json:
        print(json.dumps([*images, *speech], indent=2))
        return
    for rows in filter(None, (images, speech)):
        print_table(list(rows[0]), [list(row.values()) for row in rows])
