"""Metadata of pictures ↔ chunks of a file."""

import zlib
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vqvae.errors import BitstreamError, reason_of
from vqvae.formats import Chunks, Kind
from vqvae.media.images import MAX_METADATA_BYTES, Picture


def to_chunks(picture: Picture) -> Chunks:
    """The chunks of a picture."""
    chunks = {Kind.GREY: b""} if picture.grey else {}
    if picture.alpha is not None:
        file = BytesIO()
        Image.fromarray(picture.alpha).save(file, "PNG", optimize=True)
        chunks[Kind.ALPHA] = file.getvalue()
    for kind, data in {Kind.PROFILE: picture.profile, Kind.EXIF: picture.exif, Kind.XMP: picture.xmp}.items():
        if data:
            chunks[kind] = zlib.compress(data, 9)
    return chunks


def to_picture(pixels: UInt8[np.ndarray, "H W 3"], chunks: Chunks) -> Picture:
    """The picture with these pixels.

    Raises:
        BitstreamError: a chunk is damaged.
    """
    alpha = _alpha(chunks[Kind.ALPHA], pixels) if Kind.ALPHA in chunks else None
    return Picture(pixels, Kind.GREY in chunks, alpha)._replace(**to_metadata(chunks))


def to_metadata(chunks: Chunks) -> dict[str, Any]:
    """The `profile`, `exif` and `xmp` of a picture.

    Raises:
        BitstreamError: a chunk is damaged.
    """
    kinds = {"profile": Kind.PROFILE, "exif": Kind.EXIF, "xmp": Kind.XMP}
    return {name: _unpack(chunks, kind, name) for name, kind in kinds.items()}


def _alpha(data: bytes, pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W"]:
    height, width, _ = pixels.shape
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            if (image.mode, image.size) == ("L", (width, height)):
                return np.asarray(image)
            reason = f"{image.size[0]}×{image.size[1]} pixels of mode {image.mode}"
    except Exception as error:  # of damaged files, Pillow raises errors of any kind
        reason = reason_of(error)
    raise BitstreamError(f"corrupt: its alpha channel is not an 8-bit grey PNG of the image's size ({reason})")


def _unpack(chunks: Chunks, kind: Kind, name: str) -> bytes | None:
    if kind not in chunks:
        return None
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(chunks[kind], MAX_METADATA_BYTES + 1)
    except zlib.error as error:
        raise BitstreamError(f"corrupt: its {name} cannot be unpacked ({error})") from None
    if len(unpacked) > MAX_METADATA_BYTES or not unpacker.eof or unpacker.unused_data:
        raise BitstreamError(f"corrupt: its {name} does not end where it should")
    return unpacked
