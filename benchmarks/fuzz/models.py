"""Model files: changed bytes, and configs, tensors and numbers that a file may say and no model has.

A file is refused with a `ModelFileError` in one line, within a second and without much memory; or it makes a codec that
compresses and decompresses an image, or speech, or says in one line why not.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.containers import is_of_images
from benchmarks.fuzz.door import GOLDEN, Door
from vqvae.errors import ModelFileError, VqvaeError
from vqvae.models.file import KEY, load_codec, load_quantizer
from vqvae.models.registry import COMPONENTS
from vqvae.models.speech import load_speech

SECONDS = 1.0  # of a processor
KILOBYTES = 2**18  # more than before: files are below 100 kB

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 64, 255, 256, 4096, 2**31 - 1, 2**31, 2**63, -(2**63), 10**40),
    *(0.0, -0.0, 0.5, 1.5, 1e-30, 1e30, 1e39, 1e308, float("nan"), float("inf"), -float("inf")),
    *("", "x", "x" * 1000, "0", "cpu", "../x", [], [[]], [0], [1, 1], [-1, 2], [10**6] * 3, [3] * 1000, {}, {"a": 1}),
    *({"_target_": "uniform"}, {"_target_": "os.system", "command": "true"}, {"_target_": 7}),
)
DTYPES = (
    "BOOL",
    "U8",
    "I8",
    "I16",
    "I32",
    "I64",
    "F16",
    "BF16",
    "F32",
    "F64",
    "C64",
    "F8_E4M3",
    "F8_E5M2",
    "U16",
    "U64",
    "XX",
)


class Models(Door):
    """Files of models for images, and of one for speech."""

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(GOLDEN.glob("v[15]-*.safetensors"))}

    def kind(self, name: str) -> str:
        return "of images" if is_of_images(Path(name)) else "of speech"

    def change(self, name: str, draw: random.Random) -> bytes:
        if draw.random() < 0.3:
            return super().change(name, draw)
        data = self.seeds[name]
        length = int.from_bytes(data[:8], "little")
        header, weights = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
        said = json.loads(header["__metadata__"][KEY])
        if draw.random() < 0.8:
            said.pop("id", None)  # or else most is refused because the id is another
        for _ in range(draw.choice((1, 1, 2, 4))):
            draw.choice((change_config, change_config, change_tensor, change_numbers))(said, header, weights, draw)
        header["__metadata__"][KEY] = json.dumps(said)
        packed = json.dumps(header).encode()
        return len(packed).to_bytes(8, "little") + packed + bytes(weights)

    def check(self, kind: str, data: bytes) -> str:
        path = self.folder / "changed.safetensors"
        path.write_bytes(data)
        began, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            outcome = "accepted" if self._use(kind, path) else "refused"
        except VqvaeError as error:  # finite weights may still give vectors that are not
            assert "\n" not in str(error)
            outcome = "refused"
        finally:
            seconds = time.process_time() - began
            more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        assert seconds < SECONDS, f"{seconds:.1f} s"
        assert more < KILOBYTES or sys.platform == "darwin", f"{more} kB of memory"
        return outcome

    def _use(self, kind: str, path: Path) -> bool:
        if kind == "of speech":
            try:
                speech = load_speech(path)
            except ModelFileError as error:
                return self._refused(error, path)
            samples = np.random.default_rng(0).normal(0, 0.1, 500)
            assert len(speech.decompress(speech.compress(samples, 64.0))) == 500
            return True
        try:
            load_quantizer(path)
        except ModelFileError as error:
            self._refused(error, path)
        try:
            codec = load_codec(path)
        except ModelFileError as error:
            return self._refused(error, path)
        image = np.random.default_rng(0).integers(256, size=(20, 24, 3), dtype=np.uint8)
        assert codec.decompress(codec.compress(image)).shape == image.shape
        return True

    def _refused(self, error: ModelFileError, path: Path) -> bool:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)
        return False


def change_config(said: dict[str, Any], header: dict[str, Any], weights: bytearray, draw: random.Random) -> None:
    """A value, a name, or what is there at all."""
    holder, key = draw.choice(list(places(said)) or [({"a": 1}, "a")])
    what = draw.random()
    if what < 0.5:
        holder[key] = deepcopy(draw.choice(VALUES))
    elif what < 0.6 and isinstance(holder[key], int):
        holder[key] += draw.choice((-1, 1))
    elif what < 0.7:
        holder[key] = draw.choice(list(COMPONENTS))
    elif what < 0.85:
        other, name = draw.choice(list(places(said)) or [({"a": 1}, "a")])
        holder[key] = json.loads(json.dumps(other[name]))
    elif isinstance(holder, dict) and what < 0.95:
        holder[draw.choice(("beam", "qualities", "codebook_bits", "neighbours", "dim", "new"))] = deepcopy(
            draw.choice(VALUES)
        )
    else:
        del holder[key]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in nested lists and dictionaries: what it is in, and its key."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def change_tensor(said: dict[str, Any], header: dict[str, Any], weights: bytearray, draw: random.Random) -> None:
    """What the file says of a tensor."""
    name = draw.choice([name for name in header if name != "__metadata__"] or ["none"])
    tensor, what = header.setdefault(name, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), draw.random()
    if what < 0.3:
        tensor["dtype"] = draw.choice(DTYPES)
    elif what < 0.6:
        tensor["shape"] = draw.choice((tensor["shape"][::-1], [1, *tensor["shape"]], tensor["shape"][1:], [0], [2**40]))
    elif what < 0.7:
        tensor["data_offsets"] = [draw.choice((0, 1, 8, 2**40)), draw.choice((0, 4, len(weights), 2**60))]
    elif what < 0.85:
        header[draw.choice(("x", name + "s", "entropy.x", "autoencoder.quantizer.codebooks"))] = header.pop(name)
    else:
        del header[name]


def change_numbers(said: dict[str, Any], header: dict[str, Any], weights: bytearray, draw: random.Random) -> None:
    """The numbers of a tensor: NaN, infinity, the largest, anything."""
    if weights:
        start = draw.randrange(len(weights)) & ~3
        new = draw.choice((b"\0\x7e", b"\0\x7c", b"\xff\x7b", b"\0\0", b"\xff\xff", b"\xff\x7f", draw.randbytes(2)))
        end = min(len(weights), start + 2 * draw.choice((1, 2, 64, 4096)))
        weights[start:end] = (new * (end - start))[: end - start]
