"""Image files to 8-bit RGB arrays and back, with what belongs to them. What would be lost is refused by name."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from vqvae.errors import ImageError, VqvaeError, errors_of, reason_of
from vqvae.media.atomic import atomic_path
from vqvae.media.colour import make_profile, to_srgb
from vqvae.media.exif import XMP_ORIENTATION, colours_of_exif, read_exif, turn_upright
from vqvae.media.formats import WITH_ALPHA, WITHOUT_GREY, check_writable, keep_metadata, save
from vqvae.media.formats import check_writable_format as check_writable_format
from vqvae.media.headers import COLOURS, Header, read_header

READABLE = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".webp", ".avif", ".avifs", ".heif", ".heic"),
    *(".bmp", ".dib", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpf", ".jpx", ".tga"),
}
"""Suffixes of images in folders; a named file is opened with any suffix."""

MAX_PIXELS = 178_956_970
"""Pillow's limit, above which it takes a file for a decompression bomb."""

MAX_SIDE = 2**20
"""Pixels of height or width: an image of a single row would be padded to many times its size."""

STRIP = 256  # rows that are converted at once

GREY_MODES = {"1", "L", "LA"}
NON_RGB_MODES = {"CMYK", "LAB"}
PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
NOT_PIXELS = {
    **dict.fromkeys(("EPS", "WMF"), "a drawing, which other programs would make into pixels of some size"),
    "PCD": "of several sizes, of which Pillow reads a small one",
}
METADATA_LABELS = {"icc_profile": "colour profile", "exif": "EXIF", "xmp": "XMP"}
MAX_METADATA_BYTES = 2**24
"""Limit for a profile, for EXIF and for XMP."""

EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", *PREMULTIPLIED}


class Picture(NamedTuple):
    """An image, and what belongs to it besides its pixels.

    Attributes:
        pixels: as RGB.
        grey: whether it is greyscale, all three channels being equal.
        alpha: opacity, None where all is opaque.
        profile: ICC profile that says what colours the numbers are.
        exif, xmp: metadata, as the formats keep them.
        lost: what the file holds besides that could not be understood, by name.
    """

    pixels: UInt8[np.ndarray, "H W 3"]
    grey: bool = False
    alpha: UInt8[np.ndarray, "H W"] | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    lost: tuple[str, ...] = ()


def read_picture(path: Path, metadata: bool = False) -> Picture:
    """Reads an image, upright by its EXIF orientation.

    Palette and CMYK images become RGB; those that are neither RGB nor greyscale are brought to sRGB by their profile.
    Colours that are described in another way than by a profile are given one.

    Args:
        path: the file.
        metadata: whether to keep EXIF and XMP.

    Raises:
        ImageError: not an image, damaged, too large, or with more than 8 bits a channel, several frames, colours of
            high dynamic range, or a profile or metadata of more than 16 MiB.
    """
    try:
        with Image.open(path) as image, errors_of(path):
            return _to_picture(image, path, metadata)
    except VqvaeError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{path}: damaged, or not an image of a format that Pillow knows") from None
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # of damaged files, Pillow's plug-ins raise errors of any kind
        raise ImageError(f"{path}: cannot be read ({reason_of(error)})") from None


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
        return np.asarray(to_srgb(to_image(picture), picture.profile))


def _to_picture(image: Image.Image, path: Path, metadata: bool) -> Picture:
    if image.format in NOT_PIXELS:
        raise ImageError(f"is {NOT_PIXELS[image.format]}: save it as .png first")
    frames = max(getattr(image, "n_frames", 1), len(image.info.get("sizes", ())))  # icons have several sizes
    if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or a depth map behind the photograph
        raise ImageError(f"has {frames} frames, but only single images are compressed: extract the frames first")
    check_size(*image.size)
    header = read_header(image, path)
    _check_depth(image, header)
    image.load()
    found, lost = _read_metadata(image, header, metadata)
    pixels = turn_upright(_as_described(image, header))
    profile = found["icc_profile"]
    if profile and pixels.mode in NON_RGB_MODES:
        pixels, profile = to_srgb(pixels, profile), None
    return from_image(pixels)._replace(profile=profile, exif=found["exif"], xmp=found["xmp"], lost=tuple(lost))


def from_image(image: Image.Image) -> Picture:
    """The pixels and the transparency of a Pillow image, and nothing else of it.

    Raises:
        ImageError: its mode has more than 8 bits a channel.
    """
    if image.mode not in EIGHT_BIT_MODES:
        raise ImageError(_too_deep(f"pixels of mode {image.mode}"))
    alpha = _to_array(image, "RGBA", first=3)[..., 0] if image.has_transparency_data else None
    opaque = alpha is None or alpha.min() == 255
    return Picture(_to_array(image, "RGB"), grey=image.mode in GREY_MODES, alpha=None if opaque else alpha)


def check_size(width: int, height: int) -> None:
    """Raises ImageError for images that are too large, by pixels or by side, or that have no pixels."""
    if not (width and height):
        raise ImageError(f"has {width}×{height} pixels, so that there is nothing to compress")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limits = f"{MAX_PIXELS} in all, or {MAX_SIDE} in one direction"
        raise ImageError(f"has {width}×{height} pixels, more than {limits}: cut it up first")


def _as_described(image: Image.Image, header: Header) -> Image.Image:
    """The image as the file says that it is to be seen."""
    if header.transparency is not None:
        image.info["transparency"] = header.transparency
    if header.aperture:
        image = image.crop(header.aperture)
    if header.shift:
        steps = 255 >> header.shift
        levels = [min(level >> header.shift, steps) * 255 // steps for level in range(256)]
        image = image.point(levels * len(image.getbands()))
    return image.convert(PREMULTIPLIED[image.mode]) if image.mode in PREMULTIPLIED else image


def _read_metadata(image: Image.Image, header: Header, all_of_it: bool) -> tuple[dict[str, bytes | None], list[str]]:
    """Colour profile and, where they are asked for, EXIF and XMP, by Pillow's names; and what of them is lost."""
    profile, lost = image.info.get("icc_profile") or header.profile, list(header.lost)
    if not profile and image.mode not in NON_RGB_MODES:
        colours = header.colours or colours_of_exif(image)
        if colours and not colours.is_srgb:
            try:
                profile = make_profile(colours, image.mode in GREY_MODES)
            except ValueError:
                lost.append(COLOURS)
    found: dict[str, Any] = {"icc_profile": profile, "exif": None, "xmp": None}
    if all_of_it:
        try:
            found["exif"] = read_exif(image)
        except Exception:  # Pillow raises whatever it likes at damaged EXIF
            lost.append(METADATA_LABELS["exif"])
        xmp = image.info.get("xmp")
        found["xmp"] = XMP_ORIENTATION.sub(b"", xmp) if isinstance(xmp, bytes) else xmp
    for key, data in found.items():
        if data and not isinstance(data, bytes):
            found[key] = None
            lost.append(METADATA_LABELS[key])
        elif data and len(data) > MAX_METADATA_BYTES:
            raise ImageError(
                f"its {METADATA_LABELS[key]} has {len(data)} bytes, more than {MAX_METADATA_BYTES}: remove it first"
            )
    return {key: data or None for key, data in found.items()}, lost


def _to_array(image: Image.Image, mode: str, first: int = 0) -> UInt8[np.ndarray, "H W c"]:
    """The pixels as RGB or RGBA, from a channel on: strip by strip, so that the result alone takes memory."""
    width, height = image.size
    pixels = np.empty((height, width, len(mode) - first), np.uint8)
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)).convert(mode))[..., first:]
    return pixels


def _check_depth(image: Image.Image, header: Header) -> None:
    """By what the file says: Pillow reduces much to 8 bits without a word."""
    if header.bits > 8 or image.mode not in EIGHT_BIT_MODES:
        kind = f"{header.bits}-bit channels" if header.bits > 8 else f"pixels of mode {image.mode}"
        raise ImageError(_too_deep(kind))
    if header.signed:
        raise ImageError("has channels of signed numbers: convert it to unsigned ones first")


def _too_deep(kind: str) -> str:
    return f"has {kind}, more than 8 bits each: convert it to 8 bits first"


def write_picture(picture: Picture, path: Path) -> list[str]:
    """Writes an image in the format of the path's suffix; the file is there whole or not at all.

    Returns:
        what the format cannot hold, and so was left out: colour profile, EXIF, XMP.

    Raises:
        ImageError: Pillow cannot write this format, or it cannot hold the image's size or its transparency.
    """
    height, width, _ = picture.pixels.shape
    format = check_writable(path, height, width)
    if picture.alpha is not None and format not in WITH_ALPHA:
        what = f"{format} cannot hold the image's transparency without loss"
        raise ImageError(f"{path}: {what}: use .png, for instance")
    image = to_image(picture)
    if format in WITHOUT_GREY:
        image = image.convert("RGB")
    besides = {"icc_profile": picture.profile, "exif": picture.exif, "xmp": picture.xmp}
    options = keep_metadata(format, besides)
    left_out = [METADATA_LABELS[key] for key, data in besides.items() if data and key not in options]
    if format == "PNG" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp"))
    if format == "ICO":
        options["sizes"] = [image.size]
    with atomic_path(path) as temporary:
        save(image, temporary, path, format, options)
    return left_out


def write_image(pixels: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    """Writes RGB pixels in the format of the path's suffix; the file is there whole or not at all.

    Raises:
        ImageError: Pillow cannot write this format.
    """
    write_picture(Picture(pixels), path)


def to_image(picture: Picture) -> Image.Image:
    """The pixels and the transparency of a picture as a Pillow image, whose mode is that of `mode_of`."""
    image = Image.fromarray(picture.pixels)
    if picture.grey:
        sums = picture.pixels.sum(2, dtype=np.uint16)
        rounded_mean = Image.fromarray(((sums + 1) // 3).astype(np.uint8))
        image = rounded_mean.convert(mode_of(True, picture.profile))
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def mode_of(grey: bool, profile: bytes | None, alpha: bool = False) -> str:
    """Pillow's mode of a picture: a greyscale one is RGB where its profile is for RGB."""
    one_channel = grey and (not profile or profile[16:20] == b"GRAY")
    return ("L" if one_channel else "RGB") + "A" * alpha
