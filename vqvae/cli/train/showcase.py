"""Compresses photographs with a model just trained, and shows what came back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vqvae.codec import ImageCodec
from vqvae.data.sample import load_photo
from vqvae.evaluation import psnr
from vqvae.media.images import read_image, write_image

MARGIN = 24  # pixels, room for the caption


def show(codec: ImageCodec, photos: Sequence[str], folder: Path) -> None:
    """Writes each photograph, its compressed file and what that decodes to, and one picture of them all.

    Args:
        codec: the codec to show.
        photos: image files, or names of scikit-image's photographs.
        folder: where everything goes.
    """
    rows = []
    for photo in photos:
        source = Path(photo)
        if not source.is_file():
            source = folder / f"{photo}.png"
            write_image(load_photo(photo).permute(1, 2, 0).numpy(), source)
        original = read_image(source)
        compressed = folder / f"{source.stem}.vqz"
        compressed.write_bytes(codec.compress(original))
        decoded = codec.decompress(compressed.read_bytes())
        write_image(decoded, folder / f"{source.stem}.decoded.png")
        size = compressed.stat().st_size
        caption = (
            f"{compressed.name}: {size} bytes, {8 * size / original[..., 0].size:.3f} bpp, "
            f"PSNR {psnr(original, decoded):.2f} dB"
        )
        print(caption)
        rows.append(_row(original, decoded, caption))
    if rows:
        write_image(_stack(rows), folder / "showcase.png")
        print(f"originals beside what came back: {folder / 'showcase.png'}")


def _row(
    original: UInt8[np.ndarray, "H W 3"], decoded: UInt8[np.ndarray, "H W 3"], caption: str
) -> UInt8[np.ndarray, "h w 3"]:
    pair = np.concatenate([original, decoded], axis=1)
    canvas = Image.fromarray(np.pad(pair, ((MARGIN, 0), (0, 0), (0, 0)), constant_values=255))
    ImageDraw.Draw(canvas).text((6, 6), f"original | {caption}", fill="black")
    return np.asarray(canvas)


def _stack(rows: list[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "H W 3"]:
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)
