"""The `eval` command: rate and distortion of a model on images, alone or beside other codecs."""

from pathlib import Path
from typing import Annotated

import typer

from vqvae.cli.commands import finish, is_sound
from vqvae.cli.options import Device, Force, Json, Model, Quality
from vqvae.errors import UsageError


def evaluate(
    path: Annotated[str, typer.Argument(metavar="PATH", help="An image or a sound file, a folder, or cifar10:test.")],
    model: Model = None,
    json_file: Json = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Compare with other codecs: of jpeg,webp,avif,avif-444,avif-slow,jxl; for speech of opus,lc3.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="With --against: draw the curves, .png or .svg.", show_default=False)
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="With --against: crops side by side at equal size, .png.", show_default=False)
    ] = None,
    quality: Quality = None,
    effort: Annotated[
        list[int] | None,
        typer.Option(min=0, max=9, help="Of the encoder, as in encode; with --against, several.", show_default="0"),
    ] = None,
    force: Force = False,
    data: Annotated[Path, typer.Option(help="The folder that holds CIFAR10.")] = Path("data"),
    device: Device = "cpu",
) -> None:
    """Compress and decompress images, and report bits per pixel, PSNR, SSIM and seconds.

    With --against, measure other codecs in the same run, at many qualities, and report curves and BD-rates.

    Of speech, report PESQ, STOI and weighted SNR at six rates from 8 to 32 kbit/s, average and constant.
    """
    from vqvae.bulk.outputs import claim_report
    from vqvae.cli.report import claim_json
    from vqvae.models.store import ModelStore

    claim_json(json_file, force)
    if is_sound(Path(path)):
        from vqvae.cli.speech import evaluate_speech

        if plot or crops or effort or quality is not None:
            raise UsageError("--plot, --crops, --effort and --quality are for images: leave them out")
        finish(evaluate_speech(Path(path), ModelStore(model), against, json_file))
    if against is not None and quality is not None:
        raise UsageError("--against measures all qualities: leave out --quality")
    efforts = effort or [0]
    if against is None and len(efforts) > 1:
        raise UsageError("--effort given more than once is for a comparison: name codecs with --against")
    if against is None and (plot or crops):
        raise UsageError("--plot and --crops show a comparison: name codecs with --against, as in jpeg,webp,avif")
    for file, option in {plot: "--plot", crops: "--crops"}.items():
        claim_report(file, option, force)
    store = ModelStore(model, device, variable_rate=quality is not None)
    if against is None:
        from vqvae.cli.evaluate import evaluate_path

        finish(evaluate_path(store, path, data, json_file, quality, efforts[0]))
    from vqvae.cli.compare_codecs import compare_path

    finish(compare_path(store, path, data, against, json_file, plot, crops, efforts))
