"""Compresses photographs with the trained model, and writes a picture of the results."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vqvae.codec import ImageCodec
from vqvae.data.sample import load_photo
from vqvae.evaluation import psnr
from vqvae.media.images import read_image, write_image

MARGIN = 24  # pixels, room for the caption


Photos = Mapping[str, UInt8[np.ndarray, "H W 3"]]


def load_photos(names: Sequence[str]) -> Photos:
    """Photographs by their names, in 8-bit RGB.

    Args:
        names: image files, or names of scikit-image's photographs.

    Raises:
        DataError: there is no such photograph.
        ImageError: a file cannot be read.
    """
    return {
        Path(name).stem: read_image(Path(name)) if Path(name).is_file() else load_photo(name).permute(1, 2, 0).numpy()
        for name in names
    }


def show(codec: ImageCodec, photos: Photos, folder: Path) -> None:
    """Writes each photograph, its compressed file and its decoded version, and one picture of them all.

    Args:
        codec: the codec to show.
        photos: as `load_photos` gives them.
        folder: of the files.
    """
    rows = []
    for name, original in photos.items():
        write_image(original, folder / f"{name}.png")
        compressed = folder / f"{name}.vqz"
        compressed.write_bytes(codec.compress(original))
        decoded = codec.decompress(compressed.read_bytes())
        write_image(decoded, folder / f"{name}.decoded.png")
        size = compressed.stat().st_size
        caption = (
            f"{compressed.name}: {size} bytes, {8 * size / original[..., 0].size:.3f} bpp, "
            f"PSNR {psnr(original, decoded):.2f} dB"
        )
        print(caption)
        rows.append(_row(original, decoded, caption))
    if rows:
        write_image(_stack(rows), folder / "showcase.png")
        print(f"originals beside decoded images: {folder / 'showcase.png'}")


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
