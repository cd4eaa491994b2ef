"""Image files in every format that Pillow writes: small ones with profiles, EXIF, transparency, palettes and frames.

Each is read as the commands read images. Whatever comes of it must be an image or an error of ours in one line, and
what is an image must be written again as PNG and be the same.
"""

import io
import random
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from benchmarks.fuzz.door import Door
from vqvae.errors import VqvaeError
from vqvae.media import images
from vqvae.media.images import read_image, read_picture, write_picture

MAX_PIXELS = 10**6  # a lower limit than in use: damaged headers claim much, and zeros take time


def sound_files() -> dict[str, bytes]:
    """Sound files, by a name that ends in their format."""
    base = Image.radial_gradient("L").resize((24, 17))
    colour = Image.merge("RGB", (base, base.rotate(90), base.rotate(180)))
    clear = colour.copy()
    clear.putalpha(base)
    exif = Image.Exif()
    exif[0x112], exif[0x10F], exif[0x8769] = 6, "camera", {0x9003: "2026:11:21 12:00:00", 0x927C: b"note"}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = {"exif": exif.tobytes(), "icc_profile": profile, "xmp": b'<x tiff:Orientation="6"/>'}
    kinds = {"grey": base, "colour": colour, "alpha": clear, "bits": base.convert("1"), "cmyk": colour.convert("CMYK")}
    kinds |= {"palette": colour.quantize(7), "greyalpha": clear.convert("LA"), "ycbcr": colour.convert("YCbCr")}
    kinds |= {"deep": base.convert("I;16"), "float": base.convert("F"), "lab": colour.convert("LAB")}
    variants: dict[str, dict] = {
        "": {},
        "-metadata": metadata,
        "-frames": {"save_all": True, "append_images": [colour]},
    }
    found = {}
    for format in sorted(set(Image.SAVE) & set(Image.OPEN) - {"EPS", "WMF", "HDF5", "GRIB", "BUFR"}):
        for name, image in kinds.items():
            for variant, options in variants.items():
                if variant == "-frames" and name != "colour":
                    continue
                file = io.BytesIO()
                try:
                    image.save(file, format, **options)
                except Exception:  # the format does not have this
                    continue
                if file.getvalue() not in found.values():
                    found[f"{name}{variant}.{format}"] = file.getvalue()
    for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate", "group4"):
        file = io.BytesIO()
        (kinds["bits"] if compression == "group4" else colour).save(file, "TIFF", compression=compression)
        found[f"{compression}.TIFF"] = file.getvalue()
    file = io.BytesIO()
    colour.save(file, "JPEG", progressive=True)
    return found | {"progressive.JPEG": file.getvalue()}


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold, so that changes get past them."""
    sealed, start = bytearray(data), 8
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if end + 4 > len(data):
            break
        sealed[end : end + 4] = zlib.crc32(data[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(sealed)


class Images(Door):
    """Image files."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        Image.MAX_IMAGE_PIXELS, images.MAX_PIXELS = MAX_PIXELS // 2, MAX_PIXELS

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        return sound_files()

    def kind(self, name: str) -> str:
        return name.rpartition(".")[2]

    def change(self, name: str, draw: random.Random) -> bytes:
        changed = super().change(name, draw)
        return with_checksums(changed) if name.endswith(".PNG") and draw.random() < 0.8 else changed

    def check(self, kind: str, data: bytes) -> str:
        path = self.folder / "damaged"
        path.write_bytes(data)
        outcome = "refused"
        for reader in (lambda: read_picture(path, metadata=True), lambda: read_image(path)):
            try:
                found = reader()
            except VqvaeError as error:
                assert "\n" not in str(error) and str(error).startswith(f"{path}: "), str(error)
                continue
            if isinstance(found, np.ndarray):
                assert found.dtype == np.uint8 and found.ndim == 3 and found.size
                continue
            outcome = "accepted"
            again = self.folder / "again.png"
            try:
                write_picture(found, again)
            except VqvaeError as error:  # a profile that PNG cannot hold, for instance
                assert "\n" not in str(error)
                continue
            back = read_picture(again)
            assert np.array_equal(back.pixels, found.pixels) or found.grey
            assert np.array_equal(back.alpha, found.alpha)
        return outcome
