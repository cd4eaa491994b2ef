"""The page that `compare` writes: images beside their decoded versions."""

import html
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from vqvae.bulk.plan import find_all
from vqvae.cli.progress import run_each, say_skipped
from vqvae.cli.report import publish
from vqvae.evaluation import psnr
from vqvae.evaluation.measure import finite
from vqvae.media.atomic import atomic_path
from vqvae.media.formats import MAX_SIDES
from vqvae.media.images import READABLE, read_image
from vqvae.models.store import ModelStore

WHITE = 32  # levels of 255: the error that the map shows in white

FIGURE = Template("""<figure>
<div class="stage">
<img class="original" src="$original" alt="original" draggable="false">
<img class="decoded" src="$decoded" alt="decoded" draggable="false">
<div class="line"></div>
<img class="error" src="$error" alt="error" draggable="false" hidden>
</div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="where the decoded image begins">
<figcaption><b>$name</b> <span>$facts</span> <label><input type="checkbox"> error map</label></figcaption>
</figure>
""")


def write_page(
    store: ModelStore, inputs: Sequence[Path], output: Path, quality: float | None, json_file: str | None = None
) -> bool:
    """Compresses and decompresses images, and writes one HTML file that holds all it shows.

    Args:
        store: the models.
        inputs: images and folders.
        output: the page.
        quality: from 0 to 100, of a variable-rate model; None for the default.
        json_file: where to write a report, if anywhere.

    Returns:
        whether all images could be shown.
    """
    found = find_all(inputs, READABLE)
    say_skipped({one.root: one.skipped for one in found if one.skipped})
    shown: list[tuple[dict[str, Any], str]] = []
    failed = run_each(
        [file for one in found for file in one.files], lambda path: shown.append(show(store, path, quality))
    )
    if shown:
        page = Template((files("vqvae.cli") / "compare.html").read_text("utf-8"))
        with atomic_path(output) as temporary:
            text = page.substitute(white=WHITE, figures="".join(figure for _, figure in shown))
            temporary.write_text(text, "utf-8", errors="backslashreplace")  # file names may be invalid Unicode
    facts = {"page": str(output) if shown else None, "images": len(shown), "per_image": [facts for facts, _ in shown]}
    publish("compare", facts, json_file, failed, partial(print, f"page: {output}") if shown else None)
    return not failed


def show(store: ModelStore, path: Path, quality: float | None) -> tuple[dict[str, Any], str]:
    """The facts of an image, and the figure of it, its decoded version, and the error between the two.

    Raises:
        ImageError: the image cannot be read.
    """
    original = read_image(path)
    height, width, _ = original.shape
    codec = store.for_image(original)
    data = codec.compress(original, quality=quality)
    decoded = codec.decompress(data)
    facts: dict[str, Any] = {"name": str(path), "width": width, "height": height, "bytes": len(data)}
    facts |= {"original_bytes": path.stat().st_size, "bpp": 8 * len(data) / (height * width)}
    found = psnr(original, decoded)
    figure = FIGURE.substitute(
        name=html.escape(path.name),
        facts=f"{width}×{height}, {len(data):,} bytes (the original: {facts['original_bytes']:,}), "
        f"{facts['bpp']:.3f} bits per pixel, PSNR {found:.2f} dB",
        original=_embed(Image.fromarray(original)),
        decoded=_embed(Image.fromarray(decoded)),
        error=_embed(error_map(original, decoded)),
    )
    return {**facts, "psnr": finite(found)}, figure


def error_map(original: UInt8[np.ndarray, "H W 3"], decoded: UInt8[np.ndarray, "H W 3"]) -> Image.Image:
    """The absolute error of each pixel, the mean over channels: from black over red to white."""
    error = np.abs(original.astype(np.int16) - decoded).mean(2)
    levels = Image.fromarray((error * (255 / WHITE)).clip(0, 255).astype(np.uint8))
    return ImageOps.colorize(levels, "black", "white", "red", midpoint=96)


def _embed(image: Image.Image) -> str:
    """As WebP, or as PNG where it is too wide or high for that."""
    file = BytesIO()
    format = "WEBP" if max(image.size) <= MAX_SIDES["WEBP"] else "PNG"
    image.save(file, format, lossless=True, quality=50, exact=True)
    return f"data:image/{format.lower()};base64,{b64encode(file.getvalue()).decode()}"
