"""The `eval --against` command: rate-distortion curves of a model and of other codecs, measured on the same images."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vqvae.cli.evaluate import Source, find_images
from vqvae.cli.progress import run_each
from vqvae.cli.report import publish
from vqvae.cli.tables import number, print_table
from vqvae.errors import UsageError, errors_of
from vqvae.evaluation.bd_rate import HIGH_RATES, RATES, bd_rate
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
    efforts: Sequence[int] = (0,),
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
        efforts: of our encoder; a curve for each.

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
    ours, *more = (ModelCoder(model.stem, store.codec(model), effort) for effort in efforts)
    coders = [ours, *more, *others]
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
        publish("eval", {"model": model.stem, "images": 0}, json_file, failed)
        return False
    report = report_of(model.stem, len(measured), curves_of(coders, list(measured.values())), len(efforts))
    publish("eval", report, json_file, failed, partial(print_report, report))
    if plot_file:
        with atomic_path(plot_file) as temporary:
            draw_curves(report["codecs"]).savefig(temporary, format=plot_file.suffix[1:].lower(), dpi=150)
    if crops_file:
        shown = list(measured)[:: -(-len(measured) // MAX_CROPS)]
        write_image(draw_crops([panels(Path(one.name).stem, one.load(), ours, others) for one in shown]), crops_file)
    return not failed


def report_of(model: str, images: int, curves: Sequence[Curve], ours: int = 1) -> dict[str, Any]:
    """The figures of all curves, and their BD-rates against JPEG, or else the first that our model is compared with.

    Args:
        model: its name.
        images: how many were measured.
        curves: those of our model first.
        ours: number of these.
    """
    anchor = next((curve for curve in curves[ours:] if curve.name == "jpeg"), curves[ours])
    codecs = []
    for curve in curves:
        psnr, own_psnr = (_points(one, "psnr_mean") for one in (anchor, curve))
        ms_ssim, own_ms_ssim = (
            [(bpp, _to_db(value)) for bpp, value in _points(one, "ms_ssim")] for one in (anchor, curve)
        )
        rate = bd_rate(psnr, own_psnr)
        codecs.append(
            {
                "name": curve.name,
                "bd_rate": rate.percent,
                "bd_rate_note": rate.note,
                "bd_rate_high": bd_rate(psnr, own_psnr, HIGH_RATES).percent,
                "bd_rate_ms_ssim": bd_rate(ms_ssim, own_ms_ssim).percent,
                "points": curve.points,
            }
        )
    limits = {"bd_rate_bpp": RATES, "bd_rate_high_bpp": HIGH_RATES}
    return {"model": model, "images": images, "anchor": anchor.name, **limits, "codecs": codecs}


def print_report(report: dict[str, Any]) -> None:
    """Prints a row for each quality of each codec, and then a row for each codec."""
    columns = ["bpp", "psnr_mean", "psnr_dataset", "ssim", "ms_ssim", "encode_s", "decode_s"]
    rows = ((codec["name"], point) for codec in report["codecs"] for point in codec["points"])
    print_table(
        ["codec", "quality", *columns],
        ([name, number(point["quality"], "g"), *(number(point[key]) for key in columns)] for name, point in rows),
    )
    low, high = (f"{limits[0]:g} to {limits[1]:g}" for limits in (RATES, HIGH_RATES))
    print(f"\n{report['images']} images; BD-rates against {report['anchor']} in %, {low} bpp unless another is named\n")
    rates = ["bd_rate", "bd_rate_high", "bd_rate_ms_ssim"]
    print_table(
        ["codec", "PSNR", f"PSNR, {high} bpp", "MS-SSIM", "psnr_mean"],
        (
            [codec["name"], *(number(codec[rate], "+.1f") for rate in rates), codec["bd_rate_note"]]
            for codec in report["codecs"]
        ),
    )


def _points(curve: Curve, measure: str) -> list[tuple[float, float]]:
    """Bits per pixel and a measure of its points, but those without loss or of images too small for it."""
    return [(point["bpp"], point[measure]) for point in curve.points if point[measure] is not None]


def _to_db(similarity: float) -> float:
    return -10 * math.log10(max(1 - similarity, 1e-9))
