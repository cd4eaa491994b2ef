"""The `eval --against` command: rate-distortion curves of a model and of other codecs, measured on the same images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vqvae.cli.evaluate import Source, find_images, publish
from vqvae.cli.progress import run_each
from vqvae.cli.tables import number, print_table
from vqvae.errors import UsageError, errors_of
from vqvae.evaluation.bd_rate import RATES, bd_rate
from vqvae.evaluation.crops import draw_crops, panels
from vqvae.evaluation.plot import draw_curves
from vqvae.evaluation.rd_curves import CoderResult, Curve, curves_of, measure
from vqvae.evaluation.reference_codecs import ModelCoder, pillow_coders
from vqvae.media.atomic import atomic_path
from vqvae.media.images import check_writable_format, write_image
from vqvae.models.store import ModelStore

PLOTS = (".png", ".svg")
MAX_CROPS = 4  # images in the picture of crops


def compare_path(
    store: ModelStore,
    path: str,
    data_root: Path,
    against: str,
    json_file: str | None,
    plot_file: Path | None,
    crops_file: Path | None,
) -> bool:
    """Measures a model and other codecs on the images of a path, prints the figures and writes the requested files.

    Args:
        store: the models, of which one is measured.
        path: an image, a folder, or `cifar10:test`.
        data_root: the folder that holds CIFAR10.
        against: the other codecs, separated by commas.
        json_file: the file for all figures, if any; `-` for standard output, instead of tables.
        plot_file: the figure of the curves, if any.
        crops_file: the picture of crops of some images, if any.

    Returns:
        whether every image could be evaluated.

    Raises:
        UsageError: there is no codec of this name, or the plot is of another type than .png or .svg.
    """
    others = pillow_coders(against.split(","))
    if plot_file and plot_file.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot {plot_file}: cannot draw type {plot_file.suffix!r}: use {' or '.join(PLOTS)}")
    if crops_file:
        check_writable_format(crops_file)
    sources = find_images(path, data_root)
    model = store.path_for_all(source.load for source in sources)
    ours = ModelCoder(model.stem, store.codec(model))
    coders = [ours, *others]
    measured: dict[Source, list[CoderResult]] = {}

    def work(source: Source) -> None:
        image = source.load()
        with errors_of(source):
            if not measured:  # warm-up: compilation at the first use is not timed
                for coder in coders:
                    coder.decode(coder.encode(image, coder.qualities[0]))
            measured[source] = measure(coders, image)

    failed = run_each(sources, work)
    if not measured:
        return False
    report = report_of(model.stem, len(measured), curves_of(coders, list(measured.values())))
    publish(report, json_file, print_report)
    if plot_file:
        with atomic_path(plot_file) as temporary:
            draw_curves(report["codecs"]).savefig(temporary, format=plot_file.suffix[1:].lower(), dpi=150)
    if crops_file:
        shown = list(measured)[:: -(-len(measured) // MAX_CROPS)]
        write_image(draw_crops([panels(Path(one.name).stem, one.load(), ours, others) for one in shown]), crops_file)
    return not failed


def report_of(model: str, images: int, curves: Sequence[Curve]) -> dict[str, Any]:
    """The figures of all curves, and their BD-rates against JPEG, or else the first codec to compare with."""
    anchor = next((curve for curve in curves[1:] if curve.name == "jpeg"), curves[1])
    rates = [bd_rate(_rates(anchor), _rates(curve)) for curve in curves]
    return {
        "model": model,
        "images": images,
        "anchor": anchor.name,
        "bd_rate_bpp": RATES,
        "codecs": [
            {"name": curve.name, "bd_rate": rate.percent, "bd_rate_note": rate.note, "points": curve.points}
            for curve, rate in zip(curves, rates, strict=True)
        ],
    }


def print_report(report: dict[str, Any]) -> None:
    """Prints a row for each quality of each codec, and then a row for each codec."""
    columns = ["bpp", "psnr_mean", "psnr_dataset", "ssim", "ms_ssim", "encode_s", "decode_s"]
    rows = ((codec["name"], point) for codec in report["codecs"] for point in codec["points"])
    print_table(
        ["codec", "quality", *columns],
        ([name, number(point["quality"], "g"), *(number(point[key]) for key in columns)] for name, point in rows),
    )
    print(f"\n{report['images']} images; BD-rate against {report['anchor']}, {RATES[0]} to {RATES[1]} bpp\n")
    print_table(
        ["codec", "BD-rate, %", "psnr_mean"],
        ([codec["name"], number(codec["bd_rate"], "+.1f"), codec["bd_rate_note"]] for codec in report["codecs"]),
    )


def _rates(curve: Curve) -> list[tuple[float, float]]:
    """Bits per pixel and mean PSNR of its lossy points."""
    return [(point["bpp"], point["psnr_mean"]) for point in curve.points if point["psnr_mean"] is not None]
