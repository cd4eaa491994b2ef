"""Image files to 8-bit RGB arrays and back. What would be lost unasked is refused by name."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from vqvae.errors import ImageError
from vqvae.files import atomic_path

READABLE = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2"}
"""Suffixes that a folder is searched for; a file named outright is opened whatever its suffix."""

MAX_PIXELS = 178_956_970
"""Above so many pixels Pillow takes a file for a bomb, and so do we."""

EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Reads an image as RGB, upright by its EXIF orientation.

    Greyscale, palette, CMYK and opaque alpha images become RGB.

    Raises:
        ImageError: not an image, damaged, or with more than 8 bits a channel, transparency, or several frames.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(_to_rgb(image))
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image of a format that Pillow knows") from None
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({error})") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or a depth map behind the photograph
        raise ImageError(f"has {frames} frames, but only single images are compressed: extract the frames first")
    _check_depth(image)
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        with_alpha = upright.convert("RGBA")
        if np.asarray(with_alpha)[..., 3].min() < 255:
            raise ImageError("has transparency, which would be lost: flatten it onto a background first")
        return with_alpha.convert("RGB")
    return upright.convert("RGB")


def _check_depth(image: Image.Image) -> None:
    # Pillow reduces 16-bit RGB to 8 bits without a word; only the raw mode of the data in the file tells
    raw = next((args for args in map(str, getattr(image, "tile", [])) if ";16" in args), "")
    if raw or image.mode not in EIGHT_BIT_MODES:
        kind = "16-bit channels" if raw else f"pixels of mode {image.mode}"
        raise ImageError(f"has {kind}, more than 8 bits each: convert it to 8 bits first")


def write_image(pixels: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    """Writes RGB pixels in the format of the path's suffix; the file is there whole or not at all.

    Raises:
        ImageError: Pillow cannot write this format.
    """
    check_writable_format(path)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format=Image.registered_extensions()[path.suffix.lower()])


def check_writable_format(path: Path) -> None:
    """Raises ImageError unless Pillow writes the format of the path's suffix."""
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ImageError(f"{path}: cannot write images of type {path.suffix or '(none)'!r}: use .png, for instance")
