"""EXIF of image files: which way up the image is, and what else it tells, without reading more of it than needed."""

import re
import struct
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

from vqvae.media.colour import D65, SRGB_PRIMARIES, SRGB_TRANSFER, Colours

PREFIX = b"Exif\0\0"
ORIENTATION = ExifTags.Base.Orientation
XMP_ORIENTATION = re.compile(
    rb"""tiff:Orientation\s*=\s*("[^"]*"|'[^']*')|<tiff:Orientation[^>]*>[^<]*</tiff:Orientation\s*>"""
)
EXIF_SRGB, EXIF_ADOBE_RGB = 1, 2
"""Of the tag ColorSpace."""

DESCRIPTIVE = [
    ExifTags.Base[name]
    for name in (
        *("DocumentName", "ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "HostComputer"),
        *("XResolution", "YResolution", "ResolutionUnit", "Rating", "RatingPercent", "Copyright"),
        *("XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject"),
    )
]
"""Tags that say something of the picture; a TIFF's others say how the file is laid out."""

DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

ADOBE_RGB = Colours((*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (563 / 256,))


def turn_upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF (or XMP) says that it is to be seen; as it is, where these cannot be read."""
    with suppress(Exception):  # Pillow raises whatever it likes at damaged EXIF
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
        if turn is not None:
            return image.transpose(turn)
    return image


def read_exif(image: Image.Image) -> bytes | None:
    """The EXIF of an image that has been turned upright, as JPEG files hold it: without orientation; none: None.

    What can be kept as it is in the file is kept so, byte for byte.

    Raises:
        ValueError: it cannot be read.
    """
    if image.format == "TIFF":
        return descriptive_tags(image.getexif())
    exif = image.info.get("exif")
    if exif is None and "Raw profile type exif" in image.info:
        exif = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
        if not exif:
            raise ValueError("there is nothing in it")
    return without_orientation(exif) if exif else None


def without_orientation(exif: bytes) -> bytes | None:
    """EXIF without its tag of orientation, all else being where it was; None where there was nothing else.

    Raises:
        ValueError: it is damaged.
    """
    data = bytearray(exif)
    while data.startswith(PREFIX):
        del data[: len(PREFIX)]
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        raise ValueError("it is not of TIFF's structure")
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            if struct.unpack_from(f"{order}H", data, entry) == (ORIENTATION,):
                if count == 1 and not any(data[entry + 12 : entry + 16]):
                    return None
                end = start + 2 + 12 * count + 4  # the entries are followed by the place of the next directory
                data.extend(bytes(max(0, end - len(data))))
                data[entry:end] = data[entry + 12 : end] + bytes(12)
                struct.pack_into(f"{order}H", data, start, count - 1)
                break
    except struct.error as error:
        raise ValueError(f"it ends early ({error})") from None
    return PREFIX + bytes(data)


def descriptive_tags(exif: bytes | Image.Exif) -> bytes | None:
    """The tags that describe the picture and that can be written, None where there are none.

    Raises:
        ValueError: it cannot be read.
    """
    found, kept = exif if isinstance(exif, Image.Exif) else _load(exif), Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in found:
            _keep(kept, tag, found[tag])
    for directory in DIRECTORIES:
        with suppress(Exception):
            tags = found.get_ifd(directory)
            sound = {tag: value for tag, value in tags.items() if _keep(Image.Exif(), directory, {tag: value})}
            if sound:
                _keep(kept, directory, sound)
    return kept.tobytes() if kept else None


def _load(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    try:
        exif.load(data)
    except Exception as error:
        raise ValueError(f"it cannot be read ({error})") from None
    return exif


def _keep(exif: Image.Exif, tag: int, value: Any) -> bool:
    """Sets a tag where Pillow can write it."""
    trial = Image.Exif()
    trial[tag] = value
    with suppress(Exception):
        trial.tobytes()
        exif[tag] = value
        return True
    return False


def colours_of_exif(image: Image.Image) -> Colours | None:
    """What a camera says of the colours without a profile; None where it says sRGB, or nothing.

    Adobe RGB by interoperability index R03 (DCF 2.0) or colour space 2, others by the tags PrimaryChromaticities,
    WhitePoint and Gamma (EXIF 2.3), unless the colour space is sRGB.
    """
    with suppress(Exception):  # Pillow raises whatever it likes at damaged EXIF
        exif = image.getexif()
        tags = exif.get_ifd(ExifTags.IFD.Exif)
        interoperability = exif.get_ifd(ExifTags.IFD.Interop) if ExifTags.IFD.Interop in tags else {}
        space = tags.get(ExifTags.Base.ColorSpace)
        if interoperability.get(1) == "R03" or space == EXIF_ADOBE_RGB:
            return ADOBE_RGB
        primaries, gamma = exif.get(ExifTags.Base.PrimaryChromaticities), tags.get(ExifTags.Base.Gamma)
        if space != EXIF_SRGB and (primaries or gamma):
            white = exif.get(ExifTags.Base.WhitePoint, D65)
            chromaticities = tuple(map(float, (*white, *primaries))) if primaries else SRGB_PRIMARIES
            return Colours(chromaticities, (float(gamma),) if gamma else SRGB_TRANSFER)
    return None
