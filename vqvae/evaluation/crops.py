"""A picture of crops side by side: the original, and what coders make of it in files of equal size."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from vqvae.evaluation.fidelity import psnr
from vqvae.evaluation.reference_codecs import Coder, PillowCoder

CROP = 192  # pixels of the image
SIDE = 2 * CROP  # pixels of the picture
GAP = 8
CAPTION = 40  # pixels below a crop, for two lines
FONT_SIZE = 15


class Panel(NamedTuple):
    """An image, whole, and two lines about it."""

    title: str
    facts: str
    image: UInt8[np.ndarray, "H W 3"]


def panels(name: str, image: UInt8[np.ndarray, "H W 3"], ours: Coder, others: Sequence[PillowCoder]) -> list[Panel]:
    """An image, what our coder makes of it at the middle of its qualities, and what others make of it in as many bytes.

    Args:
        name: of the image.
        image: its pixels.
        ours: says how many bytes.
        others: each is used at the whole quality, from its first to its last, whose file is nearest to that.
    """
    height, width, _ = image.shape
    data = ours.encode(image, ours.qualities[len(ours.qualities) // 2])
    row = [Panel(f"{name}, original", f"{width} by {height} pixels", image), _panel(ours, ours.name, data, image)]
    for coder in others:
        quality = nearest_quality(coder, image, len(data))
        row.append(_panel(coder, f"{coder.name} {quality}", coder.encode(image, quality), image))
    return row


def nearest_quality(coder: PillowCoder, image: UInt8[np.ndarray, "H W 3"], size: int) -> int:
    """The quality whose file is nearest to so many bytes; files grow with it."""

    def size_at(quality: int) -> int:
        return len(coder.encode(image, quality))

    qualities = range(coder.qualities[0], coder.qualities[-1] + 1)
    place = bisect_left(qualities, size, key=size_at)
    return min(qualities[max(place - 1, 0) : place + 1], key=lambda quality: abs(size_at(quality) - size))


def richest_crop(image: UInt8[np.ndarray, "H W 3"], side: int = CROP) -> tuple[slice, slice]:
    """Rows and columns of the square with most detail: where neighbours differ most.

    Args:
        image: the image.
        side: pixels of the square, or fewer where the image is smaller.
    """
    height, width, _ = image.shape
    side = min(side, height, width)
    grey = image.mean(2)
    detail = sum(np.abs(np.diff(grey, axis=axis, append=grey.take([-1], axis))) for axis in (0, 1))
    step = max(side // 8, 1)
    crops = [
        (slice(top, top + side), slice(left, left + side))
        for top in range(0, height - side + 1, step)
        for left in range(0, width - side + 1, step)
    ]
    return max(crops, key=lambda crop: detail[crop].sum())


def draw_crops(rows: Sequence[Sequence[Panel]]) -> UInt8[np.ndarray, "H W 3"]:
    """A row for each image: one crop of all its panels, enlarged by a whole factor, and captions."""
    pitch = SIDE + GAP
    size = (GAP + pitch * max(map(len, rows)), GAP + (pitch + CAPTION) * len(rows))
    canvas = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT_SIZE)
    for row, some in enumerate(rows):
        crop = richest_crop(some[0].image)
        for column, panel in enumerate(some):
            pixels = panel.image[crop]
            factor = SIDE // len(pixels)
            left, top = GAP + column * pitch, GAP + row * (pitch + CAPTION)
            canvas.paste(Image.fromarray(pixels.repeat(factor, 0).repeat(factor, 1)), (left, top))
            draw.text((left, top + SIDE + 4), panel.title, "black", font)
            draw.text((left, top + SIDE + 21), panel.facts, "dimgray", font)
    return np.asarray(canvas)


def _panel(coder: Coder, title: str, data: bytes, image: UInt8[np.ndarray, "H W 3"]) -> Panel:
    decoded = coder.decode(data)
    bpp = 8 * len(data) / image[..., 0].size
    return Panel(title, f"{len(data):,} bytes, {bpp:.2f} bpp, {psnr(image, decoded):.2f} dB", decoded)
