"""The `eval` command: compresses and decompresses images, and prints the figures."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from vqvae.bulk.plan import find_files
from vqvae.cli.progress import run_each, say_skipped
from vqvae.cli.report import publish
from vqvae.cli.tables import number, print_table
from vqvae.errors import needs_extra
from vqvae.evaluation import ImageResult, evaluate_image, summarize
from vqvae.media.images import READABLE, read_image
from vqvae.models.store import ModelStore

MAX_ROWS = 50  # images listed one by one on the screen; the JSON file lists all


class Source(NamedTuple):
    """An image to evaluate: its name, and how to load it."""

    name: str
    load: Callable[[], UInt8[np.ndarray, "H W 3"]]

    def __str__(self) -> str:
        return self.name


def evaluate_path(
    store: ModelStore, path: str, data_root: Path, json_file: str | None, quality: float | None, effort: int = 0
) -> bool:
    """Evaluates the images of a path, prints the figures and writes them as JSON.

    Args:
        store: the models, of which one is evaluated.
        path: an image, a folder, or `cifar10:test`.
        data_root: the folder that holds CIFAR10.
        json_file: the file for all figures, if any; `-` for standard output, instead of tables.
        quality: from 0 to 100, of a variable-rate model; None for the default.
        effort: of the encoder, from 0 to 9.

    Returns:
        whether every image could be evaluated.
    """
    with needs_extra("train"):
        import_module("torchmetrics")  # at once, not for each image
    sources = find_images(path, data_root)
    model = store.path_for_all(source.load for source in sources)
    codec = store.codec(model)
    results: list[ImageResult] = []

    def work(source: Source) -> None:
        results.append(evaluate_image(codec, source.name, source.load(), quality, effort))

    failed = run_each(sources, work)
    report: dict[str, Any] = {"model": model.stem, **(summarize(results) if results else {"images": 0})}
    report["per_image"] = [result.figures() for result in results]
    publish("eval", report, json_file, failed, partial(print_report, report) if results else None)
    return not failed


def find_images(path: str, data_root: Path) -> list[Source]:
    """The images of a path: their names, and how to load them."""
    if path == "cifar10:test":
        with needs_extra("train"):
            from vqvae.data.cifar10 import load_cifar10  # brings torchvision, which plain images do without
        images = load_cifar10(data_root, train=False).permute(0, 2, 3, 1).numpy()
        return [Source(f"cifar10:test/{number:05}", image.copy) for number, image in enumerate(images)]
    found = find_files(Path(path), READABLE)
    say_skipped({found.root: found.skipped} if found.skipped else {})
    return [Source(str(file), partial(read_image, file)) for file in found.files]


def print_report(report: dict[str, Any]) -> None:
    """Prints a row per image, unless there are too many, and the summary."""
    columns = ["bpp", "payload_bpp", "psnr", "ssim", "encode_s", "decode_s"]
    images = report["per_image"]
    if len(images) <= MAX_ROWS:
        print_table(
            ["image", *columns], ([image["name"], *(number(image[column]) for column in columns)] for image in images)
        )
        print()
    print(f"model {report['model']}, {report['images']} images")
    for key in ("bpp", "payload_bpp", "psnr_mean", "psnr_dataset", "ssim", "encode_s", "decode_s"):
        print(f"{key:13}{number(report[key])}")
