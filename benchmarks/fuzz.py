"""Hostile files by the million: python -m benchmarks.fuzz vqz -runs=10000000 [-seed=1], with atheris (Linux, macOS).

atheris changes golden files and watches which lines of `vqvae.coding` the changes reach. Whatever comes of it must be
an image's indices or a `BitstreamError`; anything else stops the run and leaves the input in a file. Before every other
input is read, its checksums are made right, so that what lies behind them is reached too.

    pip install atheris
"""

import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vqvae.coding"]):
    from vqvae.codec import Coded
    from vqvae.coding import unpack
    from vqvae.coding.container import CHECKSUM_BYTES, FINGERPRINT_BYTES, VERSION, pack
    from vqvae.errors import BitstreamError
    from vqvae.model_file import load_codec

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
MAX_PIXELS = 160  # so that a run is millions of small files rather than a few large ones


def read_vqz(data: bytes) -> None:
    """Reads a file as `decode` does, up to the indices, with the model that it names."""
    container = unpack(data)
    if container.fingerprint not in CODECS:
        raise BitstreamError("unknown model")
    codec = CODECS[container.fingerprint]
    coded = Coded(container.entropy_code, container.sections, container.progressive)
    indices = codec.decode_indices([coded], container.height, container.width)
    assert indices.min() >= 0 and indices.max() < codec.autoencoder.quantizer.codebook_size
    if data[2] >> 4 == VERSION:
        assert pack(container) == data, "two files of one image"


def seal(data: bytes) -> bytes:
    """The data with the checksum that it should end with; of a progressive file, the last one."""
    body = data[:-CHECKSUM_BYTES]
    return body + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big")


def test_one(data: bytes, read: Callable[[bytes], None]) -> None:
    """Reads the input; every second one with its checksum made right."""
    with suppress(BitstreamError):
        read(seal(data) if len(data) % 2 else data)


def main() -> None:
    """Runs the fuzzer; options beyond the first are libFuzzer's."""
    with tempfile.TemporaryDirectory() as corpus:
        for path in GOLDEN.glob("*.vqz"):
            (Path(corpus) / path.name).write_bytes(path.read_bytes())
        atheris.Setup([sys.argv[0], "-max_len=150", *sys.argv[2:], corpus], lambda data: test_one(data, read_vqz))
        atheris.Fuzz()


if __name__ == "__main__":
    LOADED = [load_codec(path, MAX_PIXELS) for path in sorted(GOLDEN.glob("*.safetensors"))]
    CODECS = {fingerprint[:FINGERPRINT_BYTES]: codec for codec in LOADED for fingerprint in codec.fingerprints}
    main()
