"""The `compare` command: a page with originals and decoded images."""

from pathlib import Path
from typing import Annotated

import typer

from vqvae.cli.commands import finish
from vqvae.cli.options import Device, Force, Inputs, Json, Model, Quality


def compare(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")] = Path("compare.html"),
    model: Model = None,
    quality: Quality = None,
    json_file: Json = None,
    force: Force = False,
    device: Device = "cpu",
) -> None:
    """Write an HTML page with a slider between each image and its decoded version, and a map of the error."""
    from vqvae.bulk.outputs import claim_report
    from vqvae.cli.page import write_page
    from vqvae.cli.report import claim_json
    from vqvae.models.store import ModelStore

    claim_json(json_file, force)
    claim_report(output, "-o", force)
    store = ModelStore(model, device, variable_rate=quality is not None).preload()
    finish(write_page(store, inputs, output, quality, json_file))
