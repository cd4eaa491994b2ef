"""The `encode` command: images to .vqz files or into an archive."""

from pathlib import Path
from typing import Annotated

import typer

from vqvae.backend.dispatch import CompiledLater
from vqvae.cli.commands import finish, is_sound
from vqvae.cli.options import Device, Force, Inputs, Json, Kbps, Model, Output, Quality, Workers
from vqvae.errors import UsageError


def encode(
    inputs: Inputs,
    output: Output = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", metavar="FILE", help="One .vqa file for all images.", show_default=False)
    ] = None,
    names: Annotated[bool, typer.Option(help="Whether the archive keeps the images' names.")] = True,
    model: Model = None,
    force: Force = False,
    progressive: Annotated[
        bool, typer.Option("--progressive", help="Write files that can be cut after any stage; slightly larger.")
    ] = False,
    metadata: Annotated[bool, typer.Option("--metadata", help="Keep EXIF and XMP.")] = False,
    quality: Quality = None,
    bpp: Annotated[
        float | None,
        typer.Option(
            min=0, help="Use the highest quality whose file has at most this many bits per pixel.", show_default=False
        ),
    ] = None,
    psnr: Annotated[
        float | None,
        typer.Option(min=0, help="Least PSNR in dB: use the lowest quality that has it.", show_default=False),
    ] = None,
    effort: Annotated[
        int,
        typer.Option(
            min=0, max=9, help="How long to search: 0 (fast) to 9 (300 passes; Ctrl-C ends the search of an image)."
        ),
    ] = 0,
    kbps: Kbps = None,
    constant: Annotated[bool, typer.Option("--constant", help="Speech: constant rate, in every frame.")] = False,
    json_file: Json = None,
    workers: Workers = 2,
    device: Device = "cpu",
) -> None:
    """Compress images to .vqz files, beside the inputs or to -o, or into one archive; speech to .vqs files.

    A .vqz file keeps colour profile and transparency (without loss), and greyscale stays greyscale.

    - as the input or as -o is standard input or output.

    a.png becomes a.vqz; if a.jpg is beside it, a.png.vqz and a.jpg.vqz. Existing outputs are kept.

    An archive holds only sRGB pixels; an existing one is extended by images whose names it does not have.
    """
    from vqvae.bulk.tasks import CompressFiles
    from vqvae.cli.archives import encode_into_archive
    from vqvae.cli.files import encode_files
    from vqvae.cli.pipes import input_from_pipe, output_to_pipe
    from vqvae.cli.progress import say, track_search
    from vqvae.cli.report import claim_json
    from vqvae.models.store import ModelStore

    claim_json(json_file, force, output)
    with input_from_pipe(inputs, output) as sources:
        if kbps is not None or constant or is_sound(sources[0]):
            from vqvae.cli.speech import encode_speech

            if archive or progressive or metadata or effort or {quality, bpp, psnr} != {None}:
                options = "--archive, --progressive, --metadata, --quality, --bpp, --psnr and --effort"
                raise UsageError(f"{options} are for images: leave them out")
            with output_to_pipe(output, ".vqs") as target:
                all_done = encode_speech(sources, target, ModelStore(model), kbps, constant, force, json_file)
            finish(all_done)
        if archive and (
            output or (force and not json_file) or progressive or metadata or effort or {bpp, psnr} != {None}
        ):
            left_out = "-o, --force, --progressive, --metadata, --bpp, --psnr and --effort"
            raise UsageError(f"--archive adds whole images to one file: leave out {left_out}")
        if not (archive or names):
            raise UsageError("--no-names is for an archive: name one with --archive")
        rates = [rate for rate in (quality, bpp, psnr) if rate is not None]
        if len(rates) > 1:
            raise UsageError("--quality, --bpp and --psnr all choose the rate: leave out all but one")
        variable_rate = bool(rates) or effort > 0
        store = ModelStore(model, device, variable_rate=variable_rate, backend=CompiledLater()).preload()
        if archive:
            finish(encode_into_archive(archive, sources, store, names, quality, workers, json_file))
        task = CompressFiles(
            store,
            force,
            say,
            quality=quality,
            bpp=bpp,
            psnr=psnr,
            progressive=progressive,
            metadata=metadata,
            effort=effort,
            track=track_search if len(inputs) == 1 and inputs[0].is_file() else iter,
        )
        with output_to_pipe(output, ".vqz") as target:
            all_done = encode_files(task, sources, target, workers, json_file)
        finish(all_done)
