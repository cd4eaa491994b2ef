"""`compress.py`, also installed as `vqvae`: image files to small files and back."""

import json
import sys
import warnings
from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vqvae.backend.cold_start import cold_start
from vqvae.errors import UsageError, VqvaeError, errors_of

# Torch takes a second to import, so each command imports what it needs when it runs: --help answers at once.

app = typer.Typer(
    help="Compress images with vector-quantised autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Inputs = Annotated[list[Path], typer.Argument(metavar="IN...", help="Files and folders.", show_default=False)]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="A folder, or a file name for a single input.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Option(
        help="A shipped model's name or a model file.", show_default="photo, or cifar10-rvq-16 up to 64×64 pixels"
    ),
]
KnownModel = Annotated[
    str | None,
    typer.Option("--model", help="The model, where it is none of those shipped.", show_default=False),
]
ArchiveFile = Annotated[
    Path | None, typer.Option("--archive", metavar="FILE", help="One .vqa file for all images.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
Kbps = Annotated[
    float | None, typer.Option(min=6, max=64, help="Speech: rate in kbit/s, 6 to 64.", show_default="13.2")
]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")]
Stages = Annotated[int | None, typer.Option(min=1, help="Use the first so many stages alone.", show_default=False)]
Workers = Annotated[int, typer.Option(min=0, help="So many images are read, and written, while another is computed.")]
Quality = Annotated[
    float | None, typer.Option(min=0, max=100, help="0 to 100, of a model with many rates.", show_default="50")
]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Refuse files that claim larger images.", show_default="Pillow's limit")
]


@app.command()
@cold_start()
def encode(
    inputs: Inputs,
    output: Output = None,
    archive: ArchiveFile = None,
    names: Annotated[bool, typer.Option(help="Whether the archive keeps the images' names.")] = True,
    model: Model = None,
    force: Force = False,
    progressive: Annotated[
        bool, typer.Option("--progressive", help="Make files that can be cut after any stage; a little larger.")
    ] = False,
    metadata: Annotated[bool, typer.Option("--metadata", help="Keep EXIF and XMP, too.")] = False,
    quality: Quality = None,
    bpp: Annotated[
        float | None,
        typer.Option(min=0, help="Instead of a quality: find the one that takes at most so many bits per pixel."),
    ] = None,
    kbps: Kbps = None,
    constant: Annotated[bool, typer.Option("--constant", help="Speech: every frame keeps to the rate.")] = False,
    workers: Workers = 2,
    device: Device = "cpu",
) -> None:
    """Compress images to .vqz files, beside the inputs unless -o says where, or into one archive; speech to .vqs files.

    A .vqz file keeps colour profile and transparency (without loss), and greyscale stays greyscale.

    An archive holds sRGB pixels alone; images are added to one that exists, and those whose names it has are kept.
    """
    from vqvae.bulk.batching import encoding
    from vqvae.bulk.pipeline import Steps
    from vqvae.bulk.plan import Job, plan
    from vqvae.cli.models import Models
    from vqvae.cli.progress import run
    from vqvae.formats import Chunks
    from vqvae.media.atomic import atomic_path
    from vqvae.media.audio import READABLE_AUDIO
    from vqvae.media.images import READABLE, Picture, read_picture
    from vqvae.media.metadata_chunks import to_chunks

    if _holds(inputs, READABLE_AUDIO) or kbps is not None or constant:
        from vqvae.cli.speech import encode_speech

        if archive or progressive or metadata or quality is not None or bpp is not None:
            raise UsageError("--archive, --progressive, --metadata, --quality and --bpp are for images: leave them out")
        _exit(encode_speech(inputs, output, model, kbps, constant, force))
    if archive and (output or force or progressive or metadata or bpp is not None):
        left_out = "-o, --force, --progressive, --metadata and --bpp"
        raise UsageError(f"--archive adds whole images to one file: leave out {left_out}")
    if not (archive or names):
        raise UsageError("--no-names is for an archive: name one with --archive")
    if quality is not None and bpp is not None:
        raise UsageError("--quality and --bpp both choose the rate: leave out one of them")
    models = Models(model, device, quality=quality, many_rates=bpp is not None)
    if archive:
        from vqvae.cli.archive import encode_into

        _exit(encode_into(archive, inputs, models, names, workers))

    def read(path: Path) -> tuple[Picture, Chunks]:
        picture = read_picture(path, metadata)
        return picture, to_chunks(picture)

    def write(data: bytes, path: Path) -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)

    def work(job: Job) -> Steps:
        picture, chunks = yield partial(read, job.source)
        with errors_of(job.source):
            codec = models.for_image(picture.pixels)
            chosen = None if bpp is None else codec.quality_for(picture.pixels, bpp, chunks)
            coded = yield encoding(codec, picture.pixels, progressive, chosen)
        height, width, _ = picture.pixels.shape
        data = codec.pack(coded, height, width, chunks)
        yield partial(write, data, job.target)
        return f"{job.source} → {job.target}: {len(data)} bytes, {8 * len(data) / (width * height):.3f} bpp"

    _exit(run(plan(inputs, output, READABLE, ".vqz"), work, force, workers))


@app.command()
@cold_start()
def decode(
    inputs: Inputs,
    output: Output = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of an archive, this image; may be given again.")
    ] = None,
    model: KnownModel = None,
    force: Force = False,
    format: Annotated[
        str | None, typer.Option(help="Type where -o does not name one.", show_default="png, or wav for speech")
    ] = None,
    stages: Stages = None,
    max_pixels: MaxPixels = None,
    workers: Workers = 2,
    device: Device = "cpu",
) -> None:
    """Decompress .vqz files to images, beside the inputs unless -o says where, or the images of one .vqa archive.

    An archive's images go into a folder, called like the archive unless -o says otherwise, and keep their tree.
    Files made with a shipped model need no --model.
    """
    from vqvae.bulk.batching import decoding
    from vqvae.bulk.pipeline import Steps
    from vqvae.bulk.plan import Job, plan
    from vqvae.cli.models import Models
    from vqvae.cli.progress import run
    from vqvae.formats import unpack
    from vqvae.formats.vqa.reader import Archive, is_archive
    from vqvae.media.images import check_writable_format, write_picture
    from vqvae.media.metadata_chunks import to_picture

    if _holds(inputs, (".vqs",)):
        from vqvae.cli.speech import decode_speech

        _exit(decode_speech(inputs, output, model, f".{(format or 'wav').lstrip('.')}", force))
    suffix = f".{(format or 'png').lstrip('.')}"
    models = Models(model, device, max_pixels)
    if any(map(is_archive, inputs)):
        from vqvae.cli.archive import decode_from

        if len(inputs) > 1:
            raise UsageError("an archive is decoded by itself: leave out the other inputs")
        archive = Archive(inputs[0])
        codec = models.for_file(archive.fingerprint)
        _exit(decode_from(archive, codec, only or [], output, suffix, force, stages, workers))
    if only:
        raise UsageError("--only is for archives, and there is none among the inputs")

    def work(job: Job) -> Steps:
        check_writable_format(job.target)
        data = yield job.source.read_bytes
        with errors_of(job.source):
            container = unpack(data, stages)
            codec = models.for_file(container.fingerprint)
            codec.check_model(container)
            pixels = yield decoding(codec, container.coded, container.height, container.width, stages)
            picture = to_picture(pixels, container.chunks)
        left_out = yield partial(write_picture, picture, job.target)
        all_stages = codec.entropy_model.stages
        used = min(stages or all_stages, len(container.coded.sections) if container.coded.progressive else all_stages)
        part = f", {used} of {all_stages} stages" if used < all_stages else ""
        lost = f", without its {' and '.join(left_out)}, which this format cannot hold" if left_out else ""
        return f"{job.source} → {job.target}: {container.width}×{container.height}{part}{lost}"

    _exit(run(plan(inputs, output, {".vqz"}, suffix), work, force, workers))


@app.command("eval")
def evaluate(
    path: Annotated[str, typer.Argument(metavar="PATH", help="An image, a folder, or cifar10:test.")],
    model: Model = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here.", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Compare with other codecs: of jpeg,webp,avif.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="With --against: draw the curves, .png or .svg.", show_default=False)
    ] = None,
    crops: Annotated[
        Path | None, typer.Option(help="With --against: crops side by side at equal size, .png.", show_default=False)
    ] = None,
    quality: Quality = None,
    data: Annotated[Path, typer.Option(help="The folder that holds CIFAR10.")] = Path("data"),
    device: Device = "cpu",
) -> None:
    """Encode and decode images for real, and report bits per pixel, PSNR, SSIM and seconds.

    With --against, measure other codecs in the same run, at many qualities, and report curves and BD-rates.
    """
    from vqvae.cli.models import Models
    from vqvae.media.audio import READABLE_AUDIO

    if _holds([Path(path)], READABLE_AUDIO):
        from vqvae.cli.speech import evaluate_speech

        _exit(evaluate_speech(Path(path), model, against, json_file))
    if against is not None:
        from vqvae.cli.compare_codecs import compare_path

        if quality is not None:
            raise UsageError("--against measures all qualities: leave out --quality")
        _exit(compare_path(Models(model, device), path, data, against, json_file, plot, crops))
    if plot or crops:
        raise UsageError("--plot and --crops show a comparison: name codecs with --against, as in jpeg,webp,avif")
    from vqvae.cli.evaluate import evaluate_path

    _exit(evaluate_path(Models(model, device, quality=quality), path, data, json_file))


@app.command()
def compare(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")] = Path("compare.html"),
    model: Model = None,
    quality: Quality = None,
    force: Force = False,
    device: Device = "cpu",
) -> None:
    """Write a page (one HTML file) with a slider between each image and what comes back, and a map of the error."""
    from vqvae.cli.compare import write_page
    from vqvae.cli.models import Models

    _exit(write_page(Models(model, device, quality=quality), inputs, output, force))


@app.command()
def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .vqz, .vqa or .vqs file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a file holds, list the images of an archive, and check that it is whole."""
    from vqvae.cli.inspect import describe_archive, describe_file, print_facts
    from vqvae.formats.vqa.reader import Archive, is_archive

    if _holds([file], (".vqs",)):
        from vqvae.cli.speech import describe_speech

        facts = describe_speech(file)
        print(json.dumps(facts, indent=2)) if as_json else print_facts(facts)
        return

    archive = Archive(file) if is_archive(file) else None
    facts = describe_file(file) if archive is None else describe_archive(archive)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print_facts(facts)
    if archive is not None:
        archive.check_payloads()


@app.command()
def models() -> None:
    """List the shipped models; kMAC/pixel are thousands of multiply-accumulates, of encoder + decoder.

    Where a quality can be chosen, payload and PSNR are means over all rates.
    """
    from vqvae.cli.inspect import print_models

    print_models()


def main() -> None:
    """Runs the command line; an error that a person can mend is one line.

    Exit codes: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted.
    """
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")  # Pillow's; what is too large, we refuse
    try:
        app()
    except (VqvaeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _holds(inputs: list[Path], suffixes: Container[str]) -> bool:
    """Whether the first input is a file of one of these types, or a folder with one in it."""
    first = inputs[0]
    if not first.is_dir():
        return first.suffix.lower() in suffixes
    return any(file.suffix.lower() in suffixes for file in first.rglob("*"))


def _exit(all_done: bool) -> NoReturn:
    raise typer.Exit(0 if all_done else 1)
