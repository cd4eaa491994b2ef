"""Image files to 8-bit RGB arrays and back, with what belongs to them. What would be lost is refused by name."""

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from vqvae.errors import ImageError, errors_of
from vqvae.media.atomic import atomic_path

READABLE = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2"}
"""Suffixes that a folder is searched for; a file named outright is opened whatever its suffix."""

MAX_PIXELS = 178_956_970
"""Above so many pixels Pillow takes a file for a bomb, and so do we."""

STRIP = 256  # rows that are converted at once

GREY_MODES = {"1", "L", "LA"}
OTHER_COLOURS = {"CMYK", "LAB"}
WITH_ALPHA = {"PNG", "WEBP", "AVIF", "TIFF", "JPEG2000"}
NAMES = {"icc_profile": "colour profile", "exif": "EXIF", "xmp": "XMP"}
HELD = {
    **dict.fromkeys(("PNG", "JPEG", "WEBP", "AVIF"), ("icc_profile", "exif", "xmp")),
    "TIFF": ("icc_profile", "exif"),
}
"""What the formats hold besides pixels, of what Pillow writes."""

MOST_BESIDES = 2**24
"""Bytes of a profile, of EXIF or of XMP: more is no photograph's."""

DESCRIPTIVE = [
    ExifTags.Base[name] for name in ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright")
]
DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}

Image.init()  # all formats: Pillow loads them when one is asked for, and not safely in several threads at once


class Picture(NamedTuple):
    """An image, and what belongs to it besides its pixels.

    Attributes:
        pixels: as RGB.
        grey: whether it is greyscale, all three channels being equal.
        alpha: opacity, None where all is opaque.
        profile: ICC profile that says what colours the numbers are.
        exif, xmp: metadata, as the formats keep them.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    grey: bool = False
    alpha: UInt8[np.ndarray, "H W"] | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None


def read_picture(path: Path, metadata: bool = False) -> Picture:
    """Reads an image, upright by its EXIF orientation.

    Palette and CMYK images become RGB; those that are neither RGB nor greyscale are brought to sRGB by their profile.

    Args:
        path: the file.
        metadata: whether to keep EXIF and XMP.

    Raises:
        ImageError: not an image, damaged, or with more than 8 bits a channel, several frames, or a profile or metadata
            of more than 16 MiB.
    """
    try:
        with Image.open(path) as image, errors_of(path):
            return _to_picture(image, metadata)
    except UnidentifiedImageError:
        raise ImageError(f"{path}: not an image of a format that Pillow knows") from None
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({error})") from None


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Reads the pixels of an image as `read_picture` does, brought to sRGB where it has a profile, and nothing else.

    Raises:
        ImageError: the same, a profile that is none, and transparency, which would be lost.
    """
    picture = read_picture(path)
    if picture.alpha is not None:
        raise ImageError(f"{path}: has transparency, which would be lost: flatten it onto a background first")
    if not picture.profile:
        return picture.pixels
    with errors_of(path):
        return np.asarray(_to_srgb(_to_image(picture), picture.profile))


def _to_picture(image: Image.Image, metadata: bool) -> Picture:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or a depth map behind the photograph
        raise ImageError(f"has {frames} frames, but only single images are compressed: extract the frames first")
    _check_depth(image)
    exif = _tags_of_tiff(image) if image.format == "TIFF" else None
    ImageOps.exif_transpose(image, in_place=True)
    besides = {"icc_profile": image.info.get("icc_profile")}
    if metadata:
        exif = image.getexif() if exif is None else exif
        besides |= {"exif": exif.tobytes() if exif else None, "xmp": image.info.get("xmp")}
    for key, data in besides.items():
        if data and len(data) > MOST_BESIDES:
            raise ImageError(f"its {NAMES[key]} has {len(data)} bytes, more than {MOST_BESIDES}: remove it first")
    profile = besides["icc_profile"] or None
    if profile and image.mode in OTHER_COLOURS:
        image, profile = _to_srgb(image, profile), None
    alpha = _to_array(image, "RGBA", first=3)[..., 0] if image.has_transparency_data else None
    return Picture(
        pixels=_to_array(image, "RGB"),
        grey=image.mode in GREY_MODES,
        alpha=None if alpha is None or alpha.min() == 255 else alpha,
        profile=profile,
        exif=besides.get("exif"),
        xmp=besides.get("xmp") or None,
    )


def _to_array(image: Image.Image, mode: str, first: int = 0) -> UInt8[np.ndarray, "H W c"]:
    """The pixels as RGB or RGBA, from a channel on: strip by strip, so that the result alone takes memory."""
    width, height = image.size
    pixels = np.empty((height, width, len(mode) - first), np.uint8)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)).convert(mode))[..., first:]
    return pixels


def _tags_of_tiff(image: Image.Image) -> Image.Exif:
    """The tags that say something of the picture; a TIFF's others say how the file is laid out."""
    found, kept = image.getexif(), Image.Exif()
    kept.update({tag: found[tag] for tag in DESCRIPTIVE if tag in found})
    kept.update({directory: tags for directory in DIRECTORIES if (tags := found.get_ifd(directory))})
    return kept


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """By the perceptual intent, which suits inks; of most profiles of RGB all intents are relative colorimetric."""
    try:
        converted = ImageCms.profileToProfile(
            image, BytesIO(profile), ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL, "RGB"
        )
    except ImageCms.PyCMSError as error:
        raise ImageError(f"its colour profile cannot be used ({error}): convert it to sRGB first") from None
    assert converted
    return converted


def _check_depth(image: Image.Image) -> None:
    # Pillow reduces 16-bit RGB to 8 bits without a word; only the raw mode of the data in the file tells
    raw = next((args for args in map(str, getattr(image, "tile", [])) if ";16" in args), "")
    if raw or image.mode not in EIGHT_BIT_MODES:
        kind = "16-bit channels" if raw else f"pixels of mode {image.mode}"
        raise ImageError(f"has {kind}, more than 8 bits each: convert it to 8 bits first")


def write_picture(picture: Picture, path: Path) -> list[str]:
    """Writes an image in the format of the path's suffix; the file is there whole or not at all.

    Returns:
        what the format cannot hold, and so was left out: colour profile, EXIF, XMP.

    Raises:
        ImageError: Pillow cannot write this format, or it cannot hold transparency.
    """
    format = check_writable_format(path)
    image = _to_image(picture)
    if picture.alpha is not None:
        if format not in WITH_ALPHA:
            raise ImageError(f"{path}: {format} cannot hold the image's transparency: use .png, for instance")
        image.putalpha(Image.fromarray(picture.alpha))
    besides = {"icc_profile": picture.profile, "exif": picture.exif, "xmp": picture.xmp}
    options: dict[str, Any] = {key: data for key, data in besides.items() if data and key in HELD.get(format, ())}
    left_out = [NAMES[key] for key, data in besides.items() if data and key not in options]
    if format == "PNG" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode(errors="replace"))
    with atomic_path(path) as temporary:
        image.save(temporary, format=format, **options)
    return left_out


def write_image(pixels: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    """Writes RGB pixels in the format of the path's suffix; the file is there whole or not at all.

    Raises:
        ImageError: Pillow cannot write this format.
    """
    write_picture(Picture(pixels), path)


def check_writable_format(path: Path) -> str:
    """The format of the path's suffix.

    Raises:
        ImageError: Pillow does not write it.
    """
    format = Image.registered_extensions().get(path.suffix.lower(), "")
    if format not in Image.SAVE:
        raise ImageError(f"{path}: cannot write images of type {path.suffix or '(none)'!r}: use .png, for instance")
    return format


def _to_image(picture: Picture) -> Image.Image:
    if not picture.grey:
        return Image.fromarray(picture.pixels)
    sums = picture.pixels.sum(2, dtype=np.uint16)
    grey = Image.fromarray(((sums + 1) // 3).astype(np.uint8))  # the rounded mean
    return grey if not picture.profile or picture.profile[16:20] == b"GRAY" else grey.convert("RGB")
