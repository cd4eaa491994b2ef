"""What image files say of their pixels and Pillow does not: bits per channel, colours, transparency, clean aperture."""

import re
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from vqvae.errors import ImageError
from vqvae.media.bmp import bitmap_colours
from vqvae.media.boxes import boxes, find, primary_properties
from vqvae.media.colour import SRGB_PRIMARIES, SRGB_TRANSFER, Colours, from_cicp

UNSIGNED_INTEGERS, VOID = 1, 4
UNSPECIFIED = 0  # kind of an extra sample
EXTRA_SAMPLES = 338
BITS_PER_SAMPLE, SAMPLE_FORMAT, TRANSFER_FUNCTION, WHITE_POINT, PRIMARY_CHROMATICITIES = 258, 339, 301, 318, 319

PNM_HEADER = re.compile(rb"P[\w]+?" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)" * 3 + rb"\s")
JP2_COLOURS = {0, 15, 12, 16, 17, 18}
"""Bi-level, CMYK, sRGB, greyscale, sYCC: those that Pillow converts (ISO/IEC 15444-1, I.5.3.3)."""

COLOURS = "colour description"

HEADER_BYTES = 65536
"""What is read of formats whose header is at the start and of no fixed length."""


class Header(NamedTuple):
    """What a file says of its pixels.

    Attributes:
        bits: per channel, the most of all channels.
        signed: whether values below 0 are possible.
        colours: what the values mean, None where the file does not say, or has an ICC profile.
        profile: ICC profile that Pillow does not give.
        aperture: left, top, right and bottom of what is to be shown, None for all of it.
        transparency: the grey level or colour that is transparent, of 8 bits.
        shift: binary places by which Pillow has moved values of fewer than 8 bits, where it should have scaled them.
        lost: what cannot be understood.
    """

    bits: int = 8
    signed: bool = False
    colours: Colours | None = None
    profile: bytes | None = None
    aperture: tuple[int, int, int, int] | None = None
    transparency: int | tuple[int, ...] | None = None
    shift: int = 0
    lost: tuple[str, ...] = ()


def read_header(image: Image.Image, path: Path) -> Header:
    """What the file of an image, opened by Pillow, says of its pixels.

    Raises:
        ImageError: the file contradicts itself, or is of colours that cannot be used.
    """
    reader = READERS.get(image.format or "")
    return reader(image, path) if reader else Header()


def _png(image: Image.Image, path: Path) -> Header:
    chunks = dict(_png_chunks(path))
    _, _, bits, kind = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    described = None if chunks.keys() & {b"iCCP", b"sRGB"} else _gamma_and_chromaticities(chunks)
    lost: tuple[str, ...] = ("colour profile",) if b"iCCP" in chunks and not image.info.get("icc_profile") else ()
    if b"cICP" in chunks and b"iCCP" not in chunks:
        primaries, transfer, _, full_range = chunks[b"cICP"][:4].ljust(4, b"\0")
        if not full_range:
            raise ImageError("has values of narrow range: convert it to full range first")
        described, lost = _colours_of_codes(primaries, transfer)
    largest = 2**bits - 1
    transparent = chunks.get(b"tRNS", b"")[: {0: 2, 2: 6}.get(kind, 0)]  # a palette's is Pillow's matter
    levels = [level & largest for (level,) in struct.iter_unpack(">H", transparent)]
    transparency = None if not levels or bits > 8 else levels[0] * 255 // largest if kind == 0 else tuple(levels)
    return Header(bits, colours=described, transparency=transparency, lost=lost)


def _png_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Names and data of the chunks before the pixels."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and not head.endswith((b"IDAT", b"IEND")):
            length, name = struct.unpack(">I4s", head)
            if name in (b"IHDR", b"tRNS", b"gAMA", b"cHRM", b"cICP"):
                yield name, file.read(length)
                file.seek(4, 1)
            else:
                yield name, b""
                file.seek(length + 4, 1)


def _gamma_and_chromaticities(chunks: dict[bytes, bytes]) -> Colours | None:
    if not chunks.keys() & {b"gAMA", b"cHRM"}:
        return None
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4], "big")
    chromaticities = struct.unpack(">8I", chunks[b"cHRM"][:32]) if len(chunks.get(b"cHRM", b"")) >= 32 else ()
    return Colours(
        tuple(value / 100_000 for value in chromaticities) or SRGB_PRIMARIES,
        (100_000 / gamma,) if gamma else SRGB_TRANSFER,
    )


def _tiff(image: Any, path: Path) -> Header:
    tags = image.tag_v2
    bits, formats = (
        value if isinstance(value, tuple) else (value,)
        for value in (tags.get(BITS_PER_SAMPLE, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED_INTEGERS,)))
    )
    colours = None
    if len(tags.get(PRIMARY_CHROMATICITIES, ())) == 6:
        white = tags.get(WHITE_POINT, SRGB_PRIMARIES[:2])
        colours = Colours(tuple(map(float, (*white, *tags[PRIMARY_CHROMATICITIES]))))
    lost = [COLOURS] if TRANSFER_FUNCTION in tags else []
    if UNSPECIFIED in tags.get(EXTRA_SAMPLES, ()):
        lost.append("extra channels")
    return Header(max(bits), not {*formats} <= {UNSIGNED_INTEGERS, VOID}, colours, lost=tuple(lost))


def _ppm(image: Image.Image, path: Path) -> Header:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if header[:2] in (b"P1", b"P4", b"Pf"):  # bits, or floats, which their mode tells
        return Header()
    found = PNM_HEADER.match(header)
    if not found:
        raise ImageError("damaged: its header is not width, height and largest value")
    return Header(int(found[3]).bit_length())


def _jpeg2000(image: Image.Image, path: Path) -> Header:
    data = path.read_bytes()
    raw = data.startswith(b"\xff\x4f")
    header = [] if raw else list(boxes(find(data, b"jp2h")))
    bits, signed = _components(data if raw else find(data, b"jp2c"))
    palette = next((box.data for box in header if box.name == b"pclr"), b"")
    of_palette = [(depth & 127) + 1 for depth in palette[3 : 3 + palette[2]]] if len(palette) > 2 else []
    if min(bits) < 8 and (palette or len(set(bits)) > 1):
        raise ImageError(f"has channels or a palette of {min(bits)} bits, which Pillow reads wrongly: convert it first")
    colours = [box.data for box in header if box.name == b"colr"]
    profile = next((colour[3:] for colour in colours if colour[:1] in (b"\2", b"\3")), None)
    unknown = any(colour[:1] == b"\1" and int.from_bytes(colour[3:7], "big") not in JP2_COLOURS for colour in colours)
    return Header(
        max(*bits, *of_palette, 1),
        signed,
        profile=profile,
        shift=max(0, 8 - max(bits)),
        lost=(COLOURS,) if unknown and not profile else (),
    )


def _components(codestream: bytes) -> tuple[list[int], bool]:
    """Bits of each component, and whether any is signed, by the marker segment SIZ (ISO/IEC 15444-1, A.5.1)."""
    (number,) = struct.unpack_from(">H", codestream, 40)
    depths = [codestream[42 + 3 * component] for component in range(number)]
    if not depths:
        raise ImageError("damaged: it has no components")
    return [(depth & 127) + 1 for depth in depths], any(depth > 127 for depth in depths)


def _avif(image: Image.Image, path: Path) -> Header:
    data = path.read_bytes()
    properties = primary_properties(data)
    entry = find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")[8:]  # of a sequence
    properties += boxes(find(entry, b"av01"), 78)
    by_name: dict[bytes, bytes] = {}
    bits = 8
    for name, held in properties:
        by_name.setdefault(name, held)
        if name == b"av1C":
            bits = max(bits, {0: 8, 2: 10}.get(held[2] >> 5 & 3, 12))
        elif name == b"pixi":
            bits = max(bits, *held[5 : 5 + held[4]])
    colour = by_name.get(b"colr", b"")
    described = colour[:4] == b"nclx" and not image.info.get("icc_profile")
    colours, lost = _colours_of_codes(*struct.unpack_from(">HH", colour, 4)) if described else (None, ())
    aperture = _aperture(by_name[b"clap"], image.size) if b"clap" in by_name else None
    return Header(bits, colours=colours, aperture=aperture, lost=lost)


def _colours_of_codes(primaries: int, transfer: int) -> tuple[Colours | None, tuple[str, ...]]:
    try:
        return from_cicp(primaries, transfer), ()
    except ValueError:
        return None, (COLOURS,)


def _aperture(clap: bytes, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of a clean aperture (ISO/IEC 14496-12, 12.1.4), given by its size and how far its middle is off."""
    numbers = struct.unpack(">IIIIiIiI", clap[:32])
    if all(numbers[1::2]):
        width, height, right_by, down_by = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
        left, top = (size[0] - width) / 2 + right_by, (size[1] - height) / 2 + down_by
        edges = (left, top, left + width, top + height)
        whole = all(edge.denominator == 1 for edge in edges)
        if whole and 0 <= left < edges[2] <= size[0] and 0 <= top < edges[3] <= size[1]:
            return int(left), int(top), int(edges[2]), int(edges[3])
    raise ImageError(f"its clean aperture is not of whole pixels within {size[0]}×{size[1]}: crop it first")


def _sgi(image: Image.Image, path: Path) -> Header:
    with path.open("rb") as file:
        return Header(8 * file.read(4)[3])


def _qoi(image: Image.Image, path: Path) -> Header:
    with path.open("rb") as file:
        linear = file.read(14)[13] == 1
    return Header(colours=Colours(transfer=(1.0,)) if linear else None)


def _bmp(image: Image.Image, path: Path) -> Header:
    found = bitmap_colours(path.read_bytes())
    return Header(colours=found.colours, profile=found.profile, lost=("colour profile",) if found.linked else ())


def _dds(image: Any, path: Path) -> Header:
    return Header(16 if getattr(image, "pixel_format", "").startswith("BC6H") else 8)


READERS: dict[str, Callable[[Any, Path], Header]] = {
    "PNG": _png,
    "TIFF": _tiff,
    "PPM": _ppm,
    "JPEG2000": _jpeg2000,
    "AVIF": _avif,
    "SGI": _sgi,
    "DDS": _dds,
    "QOI": _qoi,
    "BMP": _bmp,
    "DIB": _bmp,
}
"""By Pillow's names; other formats say nothing that Pillow does not."""
