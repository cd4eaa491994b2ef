"""The `decode` command: .vqz files or an archive to images."""

from typing import Annotated

import typer

from vqvae.backend.dispatch import CompiledLater
from vqvae.cli.commands import finish, is_coded_speech
from vqvae.cli.options import Device, Force, Inputs, Json, KnownModel, Output, Workers
from vqvae.errors import UsageError


def decode(
    inputs: Inputs,
    output: Output = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this image of an archive; may be given several times.", show_default=False
        ),
    ] = None,
    model: KnownModel = None,
    force: Force = False,
    format: Annotated[
        str | None, typer.Option(help="Type, if -o does not name one.", show_default="png, or wav for speech")
    ] = None,
    stages: Annotated[
        int | None, typer.Option(min=1, help="Decode only the first N stages.", show_default=False)
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="Refuse files that claim larger images.", show_default="Pillow's limit")
    ] = None,
    json_file: Json = None,
    workers: Workers = 2,
    device: Device = "cpu",
) -> None:
    """Decompress .vqz files to images, beside the inputs or to -o, or the images of one .vqa archive; .vqs to speech.

    The images of an archive go into a folder with the name of the archive, or that of -o, and keep their tree.
    Files of a bundled model need no --model. Existing outputs are kept. - as the input or as -o is standard input or
    output.
    """
    from vqvae.bulk.tasks import DecompressFiles
    from vqvae.cli.archives import decode_archive
    from vqvae.cli.files import decode_files
    from vqvae.cli.pipes import input_from_pipe, output_to_pipe
    from vqvae.cli.progress import say
    from vqvae.cli.report import claim_json
    from vqvae.formats.vqa.reader import Archive, is_archive
    from vqvae.models.store import ModelStore

    claim_json(json_file, force, output)
    if format is not None and not format.lstrip(".").isalnum():
        raise UsageError(f"--format {format!r}: must be a type such as png or webp")
    with input_from_pipe(inputs, output) as sources:
        if is_coded_speech(sources[0]):
            from vqvae.cli.speech import decode_speech

            if only or stages or max_pixels:
                raise UsageError("--only, --stages and --max-pixels are for images: leave them out")
            suffix = f".{(format or 'wav').lstrip('.')}"
            with output_to_pipe(output, suffix) as target:
                all_done = decode_speech(sources, target, ModelStore(model), suffix, force, json_file)
            finish(all_done)
        suffix = f".{(format or 'png').lstrip('.')}"
        store = ModelStore(model, device, max_pixels, backend=CompiledLater()).preload()
        if any(map(is_archive, sources)):
            if len(sources) > 1:
                raise UsageError("an archive must be the only input: leave out the others")
            archive = Archive(sources[0])
            finish(decode_archive(archive, store, only or [], output, suffix, force, stages, workers, json_file))
        if only:
            raise UsageError("--only is for archives, and there is none among the inputs")
        task = DecompressFiles(store, force, say, stages=stages)
        with output_to_pipe(output, suffix) as target:
            all_done = decode_files(task, sources, target, suffix, workers, json_file)
        finish(all_done)
