"""Damaged image files by the thousand: `python -m benchmarks.fuzz_images --runs 20000 --seed 1`.

Pillow writes small images in every format that it has, with profiles, EXIF, transparency, palettes and several frames.
Bytes of these are changed, cut out, repeated or exchanged between files, and each is read as the commands read images.
Whatever comes of it must be an image or an error of ours in one line, and what is an image must be written again as PNG
and be the same. Anything else ends the run, and leaves the file, as does a file that crashes Python or takes too long.
"""

import argparse
import faulthandler
import io
import json
import logging
import random
import shutil
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from vqvae import images
from vqvae.errors import VqvaeError
from vqvae.media.images import read_image, read_picture, write_picture

TIMEOUT_S = 60  # of a file
MAX_PIXELS = 10**6  # a lower limit than in use: damaged headers claim much, and zeros take time
INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")


def seeds() -> dict[str, bytes]:
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


def flip(data: bytearray, draw: random.Random, others: list[bytes]) -> None:
    """One bit."""
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(data: bytearray, draw: random.Random, others: list[bytes]) -> None:
    """Some bytes, by numbers at which programs fail, or by any."""
    new = draw.choice(INTERESTING) if draw.random() < 0.6 else draw.randbytes(draw.randint(1, 8))
    at = draw.randrange(len(data))
    data[at : at + len(new)] = new


def cut(data: bytearray, draw: random.Random, others: list[bytes]) -> None:
    """Leaves some bytes out, or all to the end."""
    at = draw.randrange(len(data))
    del data[at : at + draw.randint(1, 16) if draw.random() < 0.7 else None]


def repeat(data: bytearray, draw: random.Random, others: list[bytes]) -> None:
    """Some bytes another time."""
    at, to = draw.randrange(len(data)), draw.randrange(len(data))
    data[to:to] = data[at : at + draw.randint(1, 64)]


def splice(data: bytearray, draw: random.Random, others: list[bytes]) -> None:
    """Some bytes of another file."""
    other = draw.choice(others)
    at, to = draw.randrange(len(other)), draw.randrange(len(data))
    part = other[at : at + draw.randint(1, 64)]
    data[to : to + len(part)] = part


CHANGES: tuple[Callable[[bytearray, random.Random, list[bytes]], None], ...] = (
    flip,
    overwrite,
    overwrite,
    cut,
    repeat,
    splice,
)


def mutants(runs: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged files and the format of the sound one, the same for a seed; half of the changes are in a file's head."""
    sound = seeds()
    draw, others = random.Random(seed), list(sound.values())
    for _ in range(runs):
        name = draw.choice(list(sound))
        data = bytearray(sound[name])
        head = data[: draw.randint(32, 400)] if draw.random() < 0.5 else data
        rest = data[len(head) :]
        for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
            if head:
                draw.choice(CHANGES)(head, draw, others)
        changed = bytes(head + rest if head is not data else head)
        sealed = name.endswith(".PNG") and draw.random() < 0.8
        yield name.rpartition(".")[2], with_checksums(changed) if sealed else changed


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


def read(path: Path) -> str:
    """Reads a file in all ways that the commands have.

    Returns:
        "image" or "refused".
    """
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
        outcome = "image"
        again = path.with_name("again.png")
        try:
            write_picture(found, again)
        except VqvaeError as error:  # a profile that PNG cannot hold, for instance
            assert "\n" not in str(error)
            continue
        back = read_picture(again)
        assert np.array_equal(back.pixels, found.pixels) or found.grey
        assert np.array_equal(back.alpha, found.alpha)
    return outcome


def fuzz(runs: int, seed: int, failed: Path) -> dict[str, Counter[str]]:
    """Reads damaged files; what they came to, by format. The file that is being read is at `failed`."""
    found: dict[str, Counter[str]] = {}
    for format, data in mutants(runs, seed):
        failed.write_bytes(data)
        faulthandler.dump_traceback_later(TIMEOUT_S, exit=True)
        found.setdefault(format, Counter())[read(failed)] += 1
    faulthandler.cancel_dump_traceback_later()
    failed.unlink(missing_ok=True)
    return found


def main() -> None:
    """Prints a table of outcomes and, with --json, writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    faulthandler.enable()
    start = time.monotonic()
    Image.MAX_IMAGE_PIXELS, images.MAX_PIXELS = MAX_PIXELS // 2, MAX_PIXELS
    folder = Path(tempfile.mkdtemp())
    found = fuzz(options.runs, options.seed, folder / "damaged")
    shutil.rmtree(folder)
    for format, outcomes in sorted(found.items()):
        print(f"{format:10} {outcomes['image']:7} images {outcomes['refused']:7} refused")
    total = sum(found.values(), Counter())
    print(f"{'all':10} {total['image']:7} images {total['refused']:7} refused, {time.monotonic() - start:.0f} s")
    if options.json:
        options.json.write_text(
            json.dumps({"runs": options.runs, "seed": options.seed, "outcomes": found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
