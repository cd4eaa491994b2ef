"""What Windows bitmaps say of their colours (BITMAPV4HEADER and BITMAPV5HEADER of the Windows API)."""

import struct
from typing import NamedTuple

from vqvae.media.colour import Colours

V4_BYTES, V5_BYTES = 108, 124
SPACE, ENDPOINTS, GAMMAS, PROFILE = 56, 60, 96, 112
CALIBRATED, EMBEDDED, LINKED = b"\0\0\0\0", b"DEBM", b"KNIL"
FILE_HEADER = 14


class BitmapColours(NamedTuple):
    """What a bitmap's values mean.

    Attributes:
        colours: by primaries and gamma, None where the file does not say.
        profile: an embedded ICC profile.
        linked: whether they are described in another file.
    """

    colours: Colours | None = None
    profile: bytes | None = None
    linked: bool = False


def bitmap_colours(file: bytes) -> BitmapColours:
    """What a .bmp file, or a .dib file without the file header, says of its colours."""
    header = file[FILE_HEADER:] if file.startswith(b"BM") else file
    size = int.from_bytes(header[:4], "little")
    if size < V4_BYTES or len(header) < size:
        return BitmapColours()
    space = header[SPACE : SPACE + 4]
    if space == CALIBRATED:
        return BitmapColours(_calibrated(header))
    if size < V5_BYTES or space not in (EMBEDDED, LINKED):
        return BitmapColours()
    if space == LINKED:
        return BitmapColours(linked=True)
    start, length = struct.unpack_from("<II", header, PROFILE)
    return BitmapColours(profile=header[start : start + length])


def _calibrated(header: bytes) -> Colours | None:
    """By the XYZ of the primaries, whose sum is white; many programs leave all of it at zero."""
    primaries = [[value / 2**30 for value in struct.unpack_from("<3i", header, ENDPOINTS + 12 * n)] for n in range(3)]
    gammas = [value / 2**16 for value in struct.unpack_from("<3I", header, GAMMAS)]
    sums = [sum(primary) for primary in primaries]
    if not (all(sums) and all(gammas) and sum(sums)):
        return None
    white = [sum(column) / sum(sums) for column in zip(*primaries, strict=True)]
    chromaticities = [primary[i] / total for primary, total in zip(primaries, sums, strict=True) for i in range(2)]
    return Colours((*white[:2], *chromaticities), (sum(gammas) / 3,))
