"""Arguments and options of several commands."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[list[Path], typer.Argument(metavar="IN...", help="Files and folders.", show_default=False)]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="A folder, or a file name for a single input.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Name of a bundled model, or a model file.", show_default="photo, or cifar10-rvq-16 up to 64×64 pixels"
    ),
]
KnownModel = Annotated[
    str | None,
    typer.Option("--model", help="Model file, if not one of the bundled models.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing outputs.")]
Kbps = Annotated[
    float | None, typer.Option(min=6, max=64, help="Speech: rate in kbit/s, 6 to 64.", show_default="13.2")
]
Device = Annotated[str, typer.Option(help="Device of the networks: cpu, cuda, ...")]
Workers = Annotated[int, typer.Option(min=0, help="Number of images to read ahead and to write in the background.")]
Quality = Annotated[
    float | None,
    typer.Option(min=0, max=100, help="0 (smallest) to 100 (best), of a variable-rate model.", show_default="50"),
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write a report as JSON; - for stdout.", show_default=False),
]
