"""Draws the picture of the README: python -m benchmarks.overview data/kodak/kodim23.png.

A crop of one image, coded by JPEG, WebP and a model of ours in files of equal size, beside the R-D curves of
`benchmarks/results/kodak.json`. Needs `pip install 'vqkit[plot]'`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from benchmarks.report import RESULTS
from vqvae.evaluation.crops import nearest_quality, richest_crop
from vqvae.evaluation.fidelity import psnr
from vqvae.evaluation.reference_codecs import ModelCoder, pillow_coders
from vqvae.media.images import read_image, write_image
from vqvae.models.file import load_codec
from vqvae.models.store import find_model

PICTURE = Path(__file__).parents[1] / "docs" / "figures" / "overview.png"
CROP = 120  # pixels of the image
SIDE = 2 * CROP  # pixels of the picture
GAP = 8
CAPTION = 52  # pixels below a crop, for two lines
FONT_SIZE = 19
DPI = 100

Pixels = UInt8[np.ndarray, "H W 3"]


def coded_crops(image: Pixels, model: str, quality: float) -> list[Pixels]:
    """Crops with captions: the original, JPEG, WebP and our model, in files of about equal size."""
    codec = ModelCoder(model, load_codec(find_model(model)))
    data = codec.encode(image, quality)
    decoded = {"original": (image, "")}
    for title, coder in zip(("JPEG", "WebP"), pillow_coders(["jpeg", "webp"]), strict=True):
        file = coder.encode(image, nearest_quality(coder, image, len(data)))
        decoded[title] = coder.decode(file), caption(image, coder.decode(file), file)
    decoded[f"vqvae ({model})"] = codec.decode(data), caption(image, codec.decode(data), data)
    crop = richest_crop(image, CROP)
    return [panel(pixels[crop], title, facts) for title, (pixels, facts) in decoded.items()]


def caption(original: Pixels, decoded: Pixels, data: bytes) -> str:
    """Bytes and PSNR of the whole image."""
    return f"{len(data):,} B, {psnr(original, decoded):.1f} dB"


def panel(crop: Pixels, title: str, facts: str) -> Pixels:
    """A crop at twice its size, with two lines below it."""
    canvas = Image.new("RGB", (SIDE + GAP, SIDE + CAPTION), "white")
    canvas.paste(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.NEAREST))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT_SIZE)
    draw.text((0, SIDE + 3), title, "black", font)
    draw.text((0, SIDE + 3 + CAPTION // 2), facts, "dimgray", font)
    return np.asarray(canvas)


def curves(width: int, height: int) -> Pixels:
    """PSNR against bits per pixel on Kodak."""
    report = json.loads((RESULTS / "kodak.json").read_text())
    figure = Figure((width / DPI, height / DPI), DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    for codec in report["codecs"]:
        ours = codec["name"] == report["model"]
        points = [(point["bpp"], point["psnr_mean"]) for point in codec["points"]]
        axis.plot(*zip(*points, strict=True), linewidth=3 if ours else 1.5, label="vqvae" if ours else codec["name"])
    axis.set(xlim=(0, 0.8), ylim=(22, 35))
    axis.set_title("Kodak: PSNR (dB) against bits per pixel", fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=10, loc="lower right")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def main() -> None:
    """Draws and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--quality", type=float, default=29.0)
    arguments = parser.parse_args()
    panels = coded_crops(read_image(arguments.image), arguments.model, arguments.quality)
    write_image(np.concatenate([*panels, curves(SIDE + CAPTION + 20, SIDE + CAPTION)], axis=1), PICTURE)
    print(PICTURE)


if __name__ == "__main__":
    main()
