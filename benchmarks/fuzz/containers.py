"""`.vqz`, `.vqa` and `.vqs` files, up to what is in them.

All checksums are zero here, in the files and when they are read, since changes would hardly ever get past them: what
they keep out is tested by flipping every bit of golden files.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from benchmarks.fuzz.door import GOLDEN, Door
from vqvae.codec import ImageCodec
from vqvae.errors import BitstreamError
from vqvae.formats import ModelId, vqs, vqz
from vqvae.formats.vqa import block, reader
from vqvae.formats.vqa.writer import append
from vqvae.formats.vqz import VERSION, pack, unpack
from vqvae.media.images import Picture
from vqvae.media.metadata_chunks import to_chunks, to_picture
from vqvae.models.file import load_codec
from vqvae.models.speech import load_speech
from vqvae.speech.frames import Frames

MAX_PIXELS = 160  # so that a run is millions of small files rather than a few large ones


class Container(Door):
    """A file with checksums: golden files are read with them, and written again without."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        codecs = [load_codec(path, MAX_PIXELS) for path in sorted(GOLDEN.glob("*.safetensors")) if is_of_images(path)]
        self.codecs = {codec.model_id: codec for codec in codecs}
        files = {path.name: path.read_bytes() for path in sorted(GOLDEN.glob("*.vqz"))}
        files |= {f"small {number}": data for number, data in enumerate(chain(*map(small_files, codecs)))}
        read = {name: unpack(data, self.codecs) for name, data in files.items()}
        self.entries = list(reader.Archive(GOLDEN / "v1-archive.vqa"))
        for module in (vqz, block, reader, vqs):
            module.zlib = SimpleNamespace(crc32=lambda data, value=0: 0)  # type: ignore[attr-defined]
        self.files = {name: pack(file) for name, file in read.items()}

    def check(self, kind: str, data: bytes) -> str:
        try:
            self.read(data)
        except BitstreamError as error:
            assert "\n" not in str(error)
            return "refused"
        return "accepted"

    def read(self, data: bytes) -> None:
        """Reads a file as the commands do."""
        raise NotImplementedError


def is_of_images(path: Path) -> bool:
    """Whether this is the file of a model for images."""
    return "speech" not in path.name


def small_files(codec: ImageCodec) -> Iterator[bytes]:
    """Files of an image that is within the limit: what is changed in them gets as far as the indices."""
    image = np.asarray(Image.radial_gradient("L").resize((14, 11)).convert("RGB"))
    alpha = np.asarray(Image.linear_gradient("L").resize((14, 11)))
    chunks = to_chunks(Picture(image, grey=True, alpha=alpha, profile=b"profile", exif=b"exif", xmp=b"<xmp/>"))
    yield codec.compress(image)
    yield codec.compress(image, chunks=chunks)
    if codec.stages > 1:
        yield codec.compress(image, progressive=True)


class Vqz(Container):
    """The file of one image: its indices, which must be encoded to the same bytes, and what belongs to the image."""

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        return self.files

    def kind(self, name: str) -> str:
        return ".vqz"

    def read(self, data: bytes) -> None:
        found = unpack(data, self.codecs)
        codec = self.codecs[found.model_id]
        indices = codec.decode_indices([found.coded], found.height, found.width)
        assert indices.min() >= 0 and indices.max() < codec.autoencoder.quantizer.codebook_size
        to_picture(np.zeros((found.height, found.width, 3), np.uint8), found.chunks)
        if data[2] >> 4 >= VERSION:
            assert pack(found) == data, "two files of one image"


class Vqa(Container):
    """The file of many images: all entries; their payloads are those of `.vqz` files."""

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        for named in (True, False):
            with append(self.folder / f"{named}.vqa", ModelId(bytes(32), bytes(32)), named) as appender:
                for entry in self.entries:
                    appender.add(entry)
                    appender.flush()
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*.vqa"))}

    def kind(self, name: str) -> str:
        return ".vqa"

    def read(self, data: bytes) -> None:
        path = self.folder / "fuzzed"
        path.write_bytes(data)
        entries = list(reader.Archive(path))
        assert sum(len(entry.payload) for entry in entries) < max(1, len(data))


class Vqs(Container):
    """The file of speech, down to samples; its symbols must be written to the same bytes."""

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        self.codec = load_speech(GOLDEN / "v1-speech.safetensors")
        noise, tone = np.random.default_rng(0).normal(0, 0.1, 700), 0.3 * np.sin(np.arange(700) * 0.2)
        signals = {"noise": noise, "tone": tone, "clipped": np.sign(tone), "silence": np.zeros(700)}
        return {
            f"{name} {length} {kbps} {constant}": self.codec.compress(samples[:length], kbps, constant)
            for name, samples in signals.items()
            for length in (200, 700)
            for kbps in (24.0, 64.0)
            for constant in (False, True)
        }

    def kind(self, name: str) -> str:
        return ".vqs"

    def read(self, data: bytes) -> None:
        container = vqs.unpack_speech(data, self.codec.model_id)
        samples = self.codec.decompress(data)
        assert len(samples) == container.samples and np.isfinite(samples).all()
        indices, steps, quantised = map(np.stack, zip(*self.codec.read(container), strict=True))
        frames = Frames(indices, steps if container.constant else None, quantised)
        assert self.codec.write(frames, container.step) == container.payload, "two files of one signal"
