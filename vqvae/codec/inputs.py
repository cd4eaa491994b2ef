"""Images as they are given to a codec: arrays, tensors, Pillow images or paths."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from vqvae.errors import UsageError
from vqvae.media.images import read_image


def to_pixels(image: Any) -> UInt8[np.ndarray, "H W 3"] | UInt8[np.ndarray, "H W"]:
    """The pixels of an image; without a third axis where it is greyscale.

    Args:
        image: a uint8 array or tensor (H, W, 3) or (H, W), a Pillow image of mode RGB or L, or the path of an image.

    Raises:
        UsageError: it is of another kind, type or shape, or empty.
        ImageError: the file cannot be read.
    """
    if isinstance(image, str | Path):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        if image.mode not in ("RGB", "L"):
            raise UsageError(
                f"the image has mode {image.mode}, but must have RGB or L: convert it, as by image.convert('RGB')"
            )
        return np.asarray(image)
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().numpy()
    if not isinstance(image, np.ndarray):
        raise UsageError(f"the image is of type {type(image).__name__}, but must be an array, a tensor or a path")
    _check(
        image.shape, image.dtype, "(H, W, 3) or (H, W)", image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    )
    return image


def check_batch(images: np.ndarray) -> None:
    """Raises UsageError unless these are uint8 images (n, H, W, 3)."""
    _check(images.shape, images.dtype, "(n, H, W, 3)", images.ndim == 4 and images.shape[3] == 3)


def _check(shape: tuple[int, ...], dtype: np.dtype, expected: str, fits: bool) -> None:
    if dtype != np.uint8:
        remedy = "scale floats to 0 … 255, round and convert them" if dtype.kind == "f" else "convert them"
        raise UsageError(f"pixels are of type {dtype}, but must be uint8: {remedy}")
    if not fits:
        channels_first = len(shape) >= 3 and shape[-3] in (1, 3, 4)
        remedy = "move the channels to the last axis" if channels_first else "convert the image to RGB"
        raise UsageError(f"the shape is {shape}, but must be {expected}: {remedy}")
    if 0 in shape:
        raise UsageError(f"the shape is {shape}, but there must be at least one pixel")
