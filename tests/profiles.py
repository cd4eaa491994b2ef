"""Colour profiles, made of sRGB's."""

import struct

from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def changed(profile: bytes, tag: bytes, name: bytes, data: bytes) -> bytes:
    """The profile with a tag of another name, and other data of no more bytes."""
    entry = profile.index(tag)
    place = int.from_bytes(profile[entry + 4 : entry + 8])
    renamed = profile[:entry] + name + profile[entry + 4 :]
    return renamed[:place] + data + renamed[place + len(data) :]


def with_colorants(**colorants: tuple[float, float, float]) -> bytes:
    profile = SRGB
    for tag, xyz in colorants.items():
        numbers = struct.pack(">3i", *(round(2**16 * value) for value in xyz))
        profile = changed(profile, tag.encode(), tag.encode(), b"XYZ " + bytes(4) + numbers)
    return profile


DISPLAY_P3 = with_colorants(
    rXYZ=(0.51512, 0.24120, -0.00105), gXYZ=(0.29198, 0.69225, 0.04189), bXYZ=(0.15710, 0.06657, 0.78407)
)
"""The colorants are those of Apple's profile; the curve is that of sRGB."""

GAMMA_1_8 = b"curv" + struct.pack(">IIH", 0, 1, round(2**8 * 1.8))
GREY_1_8 = changed(SRGB, b"rTRC", b"kTRC", GAMMA_1_8).replace(b"RGB ", b"GRAY", 1)
