"""The `compare` command: a page that shows images beside what comes back of them."""

import html
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from vqvae.bulk.plan import find_files
from vqvae.cli.models import Models
from vqvae.cli.progress import attempt_each
from vqvae.errors import UsageError
from vqvae.evaluation import psnr
from vqvae.media.atomic import atomic_path
from vqvae.media.formats import MAX_SIDES
from vqvae.media.images import READABLE, read_image

WHITE = 32  # levels of 255: an error of so many is white in the map

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


def write_page(models: Models, inputs: Sequence[Path], output: Path, force: bool) -> bool:
    """Encodes and decodes images, and writes one HTML file that holds all it shows.

    Args:
        models: what to compress with.
        inputs: images and folders.
        output: the page.
        force: whether to replace a page that exists.

    Returns:
        whether all images could be shown.

    Raises:
        UsageError: the page exists.
    """
    if output.exists() and not force:
        raise UsageError(f"{output}: exists: --force replaces it, -o names another")
    figures: list[str] = []

    def work(path: Path) -> None:
        figures.append(show(models, path))

    failed = attempt_each([file for given in inputs for file in find_files(given, READABLE)], work)
    if figures:
        page = Template((files("vqvae.cli") / "compare.html").read_text("utf-8"))
        with atomic_path(output) as temporary:
            temporary.write_text(page.substitute(white=WHITE, figures="".join(figures)), "utf-8")
        print(f"page: {output}")
    return not failed


def show(models: Models, path: Path) -> str:
    """An image, what comes back of it, and the error between the two."""
    original = read_image(path)
    codec = models.for_image(original)
    data = codec.compress(original)
    decoded = codec.decompress(data)
    height, width, _ = original.shape
    facts = (
        f"{width}×{height}, {len(data):,} bytes (the original: {path.stat().st_size:,}), "
        f"{8 * len(data) / (height * width):.3f} bits per pixel, PSNR {psnr(original, decoded):.2f} dB"
    )
    return FIGURE.substitute(
        name=html.escape(path.name),
        facts=facts,
        original=_embed(Image.fromarray(original)),
        decoded=_embed(Image.fromarray(decoded)),
        error=_embed(error_map(original, decoded)),
    )


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
