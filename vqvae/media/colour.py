"""What the values of images mean: ICC profiles, and other descriptions (gamma, chromaticities, CICP) made into such."""

import struct
from io import BytesIO
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageCms

from vqvae.errors import ImageError

D65 = (0.3127, 0.3290)
ILLUMINANT_C = (0.310, 0.316)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Chromaticities = tuple[float, ...]
"""CIE x, y of white, red, green and blue."""

Transfer = tuple[float, ...]
"""Linear light of a value X: (g,) is X^g; (g, a, b, c, d) is (aX + b)^g for X ≥ d, and cX below."""

SRGB_PRIMARIES: Chromaticities = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
SRGB_TRANSFER: Transfer = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_TRANSFER: Transfer = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)

SMPTE_170M: Chromaticities = (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,  # unspecified
    4: (*ILLUMINANT_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: SMPTE_170M,
    7: SMPTE_170M,
    8: (*ILLUMINANT_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1, 0, 0, 1, 0, 0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Colour primaries by their code (ITU-T H.273, table 2)."""

TRANSFERS: dict[int, Transfer] = {
    1: BT709_TRANSFER,
    2: SRGB_TRANSFER,  # unspecified
    4: (2.2,),
    5: (2.8,),
    6: BT709_TRANSFER,
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0912),
    8: (1.0,),
    13: SRGB_TRANSFER,
    14: BT709_TRANSFER,
    15: BT709_TRANSFER,
    17: (2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0),
}
"""Transfer characteristics by their code (ITU-T H.273, table 3), those of high dynamic range left out."""

HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}


class Colours(NamedTuple):
    """What the RGB or grey values of an image mean.

    Attributes:
        chromaticities: of white and the primaries.
        transfer: from values to linear light.
    """

    chromaticities: Chromaticities = SRGB_PRIMARIES
    transfer: Transfer = SRGB_TRANSFER

    @property
    def is_srgb(self) -> bool:
        """Whether this is sRGB, as far as 8 bits can tell; so is gamma 1/2.2, which stands for sRGB in PNG files."""
        transfer = SRGB_TRANSFER if len(self.transfer) == 1 and abs(self.transfer[0] - 2.2) < 0.01 else self.transfer
        return transfer == SRGB_TRANSFER and bool(np.allclose(self.chromaticities, SRGB_PRIMARIES, atol=0.002))


def from_cicp(primaries: int, transfer: int) -> Colours:
    """The colours of code points for video (ITU-T H.273), as in PNG's cICP and AVIF's nclx.

    Raises:
        ImageError: they are of high dynamic range, which 8 bits of sRGB cannot show.
        ValueError: there are no such codes.
    """
    if transfer in HIGH_DYNAMIC_RANGE:
        name = HIGH_DYNAMIC_RANGE[transfer]
        raise ImageError(f"has colours of high dynamic range ({name}): convert it to sRGB first")
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        raise ValueError(f"no colours have primaries {primaries} and transfer characteristics {transfer}")
    return Colours(PRIMARIES[primaries], TRANSFERS[transfer])


def make_profile(colours: Colours, grey: bool) -> bytes:
    """An ICC profile (version 4) of these colours, for grey or for RGB pixels.

    Raises:
        ValueError: the chromaticities are not those of three different colours, or the transfer is no curve.
    """
    if not 0.1 <= colours.transfer[0] <= 10:
        raise ValueError(f"a gamma of 1/{colours.transfer[0]:g}")
    curve = _curve(colours.transfer)
    adaptation, matrix = _colorants(colours.chromaticities)
    tags = {"desc": _text("Described by the image file"), "cprt": _text("None"), "wtpt": _xyz(D50_XYZ)}
    if grey:
        return _pack(b"GRAY", {**tags, "kTRC": curve})
    columns = {f"{name}XYZ": _xyz(matrix[:, column]) for column, name in enumerate("rgb")}
    chad = b"sf32\0\0\0\0" + b"".join(map(_fixed, adaptation.flatten()))
    return _pack(b"RGB ", {**tags, "chad": chad, **columns, **dict.fromkeys(("rTRC", "gTRC", "bTRC"), curve)})


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """By the perceptual intent, which suits inks; of most profiles of RGB all intents are relative colorimetric.

    Raises:
        ImageError: the profile is damaged, or of other pixels.
    """
    if image.mode == "L":  # by its levels, since LittleCMS's shortcut for greyscale is off by up to 9 of them
        levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        return Image.fromarray(np.asarray(_convert(levels, profile, ImageCms.Flags.NOOPTIMIZE))[0][np.asarray(image)])
    return _convert(image, profile, ImageCms.Flags.NONE)


def _convert(image: Image.Image, profile: bytes, flags: ImageCms.Flags) -> Image.Image:
    srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL
    try:
        converted = ImageCms.profileToProfile(image, BytesIO(profile), srgb, intent, "RGB", flags=flags)
    except ImageCms.PyCMSError as error:
        raise ImageError(f"its colour profile cannot be used ({error}): convert it to sRGB first") from None
    assert converted
    return converted


def _colorants(chromaticities: Chromaticities) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
    """The adaptation of white to D50 (Bradford), and the adapted matrix from linear RGB to XYZ."""
    x, y = np.array(chromaticities, np.float64).reshape(4, 2).T
    xyz = np.stack([x, y, 1 - x - y])
    if y[0] > 0:
        white, primaries = xyz[:, 0] / y[0], xyz[:, 1:]
        if abs(np.linalg.det(primaries)) > 1e-4 and (BRADFORD @ white > 0.01).all():
            scaled = primaries * np.linalg.solve(primaries, white)
            gain = np.diag(BRADFORD @ D50_XYZ / (BRADFORD @ white))
            adaptation = np.linalg.inv(BRADFORD) @ gain @ BRADFORD
            if np.abs(scaled).max() < 1000:
                return adaptation, adaptation @ scaled
    raise ValueError(f"chromaticities that describe no colours: {chromaticities}")


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))


def _xyz(values: Float[np.ndarray, "3"]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _curve(transfer: Transfer) -> bytes:
    kind = {1: 0, 5: 3}[len(transfer)]
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, transfer))


def _text(text: str) -> bytes:
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(text), 28) + text.encode("utf-16-be")


def _pack(space: bytes, tags: dict[str, bytes]) -> bytes:
    """Header, table of tags, and the tags' data, what is the same once (ICC.1:2022, 7)."""
    offset = 132 + 12 * len(tags)
    table, body, places = b"", b"", dict[bytes, int]()
    for name, data in tags.items():
        if data not in places:
            places[data] = offset + len(body)
            body += data + bytes(-len(data) % 4)
        table += name.encode() + struct.pack(">II", places[data], len(data))
    date = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    kinds = b"mntr" + space + b"XYZ " + date + b"acsp"
    header = struct.pack(">III", offset + len(body), 0, 0x04200000) + kinds
    header = header.ljust(68, b"\0") + b"".join(map(_fixed, D50_XYZ))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
