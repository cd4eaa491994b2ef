"""Hostile files by the million: python -m benchmarks.fuzz vqz -runs=10000000 [-seed=1]; or vqa, for archives.

atheris (pip install atheris; Linux, macOS) changes golden files and watches which lines of `vqvae.entropy`,
`vqvae.formats` and `vqvae.media.metadata_chunks` they reach. Whatever comes of it must be an image's indices, and what
belongs to it, or a `BitstreamError`; anything else stops the run and leaves the input in a file. All checksums are zero
here, in the files and when they are read, since changes would hardly ever get past them: what they keep out is tested
by flipping every bit of golden files.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import atheris
import numpy as np

with atheris.instrument_imports(include=["vqvae.entropy", "vqvae.formats", "vqvae.media.metadata_chunks"]):
    from vqvae.errors import BitstreamError
    from vqvae.formats import ModelId, vqz
    from vqvae.formats.vqa import block, reader
    from vqvae.formats.vqa.writer import append
    from vqvae.formats.vqz import VERSION, pack, unpack
    from vqvae.media.metadata_chunks import to_picture
    from vqvae.models.file import load_codec

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
MAX_PIXELS = 160  # so that a run is millions of small files rather than a few large ones


def read_vqz(data: bytes) -> None:
    """Reads a file as `decode` does, up to the indices, with the model that it names, and what it holds besides."""
    read = unpack(data, CODECS)
    codec = CODECS[read.model_id]
    indices = codec.decode_indices([read.coded], read.height, read.width)
    assert indices.min() >= 0 and indices.max() < codec.autoencoder.quantizer.codebook_size
    to_picture(np.zeros((read.height, read.width, 3), np.uint8), read.chunks)
    if data[2] >> 4 >= VERSION:
        assert pack(read) == data, "two files of one image"


def read_vqa(data: bytes) -> None:
    """Reads all entries of an archive; their payloads are those of `.vqz` files."""
    path = FOLDER / "fuzzed.vqa"
    path.write_bytes(data)
    entries = list(reader.Archive(path))
    assert sum(len(entry.payload) for entry in entries) < len(data)


def corpus(target: str, folder: Path) -> None:
    """Golden files, written again without checksums."""
    files = {path: path.read_bytes() for path in GOLDEN.glob("*.vqz")}
    read = {path.name: unpack(data, CODECS) for path, data in files.items()}
    entries = list(reader.Archive(GOLDEN / "v1-archive.vqa"))
    for module in (vqz, block, reader):
        module.zlib = SimpleNamespace(crc32=lambda data, value=0: 0)  # type: ignore[attr-defined]
    if target == "vqz":
        for name, one in read.items():
            (folder / name).write_bytes(pack(one))
        return
    for named in (True, False):
        with append(folder / f"{named}.vqa", ModelId(bytes(32), bytes(32)), named) as appender:
            for entry in entries:
                appender.add(entry)
                appender.flush()


def fuzz(target: str, read: Callable[[bytes], None]) -> None:
    """Runs libFuzzer with the options of the command line."""

    def one(data: bytes) -> None:
        with suppress(BitstreamError):
            read(data)

    with tempfile.TemporaryDirectory() as folder:
        corpus(target, Path(folder))
        atheris.Setup([sys.argv[0], "-max_len=1000", *sys.argv[2:], folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    LOADED = [load_codec(path, MAX_PIXELS) for path in sorted(GOLDEN.glob("*.safetensors"))]
    CODECS = {codec.model_id: codec for codec in LOADED}
    with tempfile.TemporaryDirectory() as temporary:
        FOLDER = Path(temporary)
        fuzz(sys.argv[1], {"vqz": read_vqz, "vqa": read_vqa}[sys.argv[1]])
