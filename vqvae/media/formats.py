"""The image formats that Pillow writes: which there are, and what they hold."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from vqvae.errors import ImageError, reason_of
from vqvae.media.exif import descriptive_tags

WITH_ALPHA = {"PNG", "WEBP", "TIFF", "JPEG2000"}  # without loss: AVIF changes it
WITHOUT_GREY = {"QOI"}

MAX_SIDES = {
    **{"ICO": 256, "WEBP": 16383, "AVIF": 32768, "JPEG": 65500, "MPO": 65500},
    **dict.fromkeys(("GIF", "TGA", "SGI"), 65535),
}
"""Height or width that a format holds and that Pillow reads again, where there is a limit."""

METADATA = {
    **dict.fromkeys(("PNG", "JPEG", "WEBP", "AVIF"), ("icc_profile", "exif", "xmp")),
    "TIFF": ("icc_profile", "exif"),
}
"""What the formats hold besides pixels, of what Pillow writes."""

METADATA_BYTES = {("JPEG", "exif"): 65533, ("JPEG", "xmp"): 65504}
"""The most that a format holds of it, where that is less than we keep."""

Image.init()  # all formats: Pillow loads them when one is asked for, and not safely in several threads at once


def check_writable_format(path: Path) -> str:
    """The format of the path's suffix.

    Raises:
        ImageError: Pillow does not write it.
    """
    format = Image.registered_extensions().get(path.suffix.lower(), "")
    if format not in Image.SAVE:
        raise ImageError(f"{path}: cannot write images of type {path.suffix or '(none)'!r}: use .png, for instance")
    return format


def check_writable(path: Path, height: int, width: int) -> str:
    """The format of the path's suffix, which holds images of this size.

    Raises:
        ImageError: it does not, or Pillow does not write it.
    """
    format = check_writable_format(path)
    most = MAX_SIDES.get(format)
    if most is not None and max(height, width) > most:
        limit = f"{format} holds {most} pixels in each direction"
        raise ImageError(f"{path}: {width}×{height} pixels, but {limit}: use .png, for instance")
    return format


def keep_metadata(format: str, metadata: dict[str, bytes | None]) -> dict[str, Any]:
    """Of profile, EXIF and XMP, by Pillow's names, what files of a format hold."""
    kept: dict[str, Any] = {
        key: data
        for key, data in metadata.items()
        if data and key in METADATA.get(format, ()) and len(data) <= METADATA_BYTES.get((format, key), len(data))
    }
    if format == "TIFF" and "exif" in kept:  # its tags become the file's own
        with suppress(ValueError):
            kept["exif"] = descriptive_tags(kept["exif"])
    return {key: data for key, data in kept.items() if data}


def save(image: Image.Image, temporary: Path, path: Path, format: str, options: dict[str, Any]) -> None:
    """Writes an image to `temporary`, and makes sure that it is of its size: some formats hold scaled copies alone.

    Raises:
        ImageError: the format cannot hold it; the text names `path`.
    """
    try:
        image.save(temporary, format=format, **options)
        if format not in Image.OPEN:
            return
        with Image.open(temporary, formats=[format]) as written:
            size = written.size
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # a full disk, for instance
            raise
        raise ImageError(f"{path}: {format} cannot hold it ({reason_of(error)}): use .png, for instance") from None
    if size != image.size:
        given, found = ("×".join(map(str, each)) for each in (image.size, size))
        raise ImageError(f"{path}: {format} made {found} pixels of {given}: use .png, for instance")
