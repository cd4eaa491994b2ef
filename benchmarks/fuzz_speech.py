"""Damaged .vqs files: python -m benchmarks.fuzz_speech --runs 1000000 --seed 1 [--json FILE].

Bytes of small files are changed, cut out, inserted, repeated or exchanged between files. One in fifty gets a checksum
that matches again, since hardly any other change gets past it. Whatever comes of a file must be a finite signal of the
length that its header claims, and a payload that is written the same again, or a `BitstreamError`; anything else ends
the run and leaves the input in a file.
"""

import argparse
import json
import random
import re
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from vqvae.errors import BitstreamError
from vqvae.formats.vqs import CHECKSUM_BYTES, unpack_speech
from vqvae.media.atomic import atomic_path
from vqvae.models.store import load
from vqvae.speech.codec import SpeechCodec
from vqvae.speech.frames import Frames
from vqvae.speech.mdct import SAMPLE_RATE

LENGTHS = (1, 200, 320, 700)  # samples; frames take the time, so there are few
REPAIRED = 0.02  # of all inputs, those with a checksum that matches again
INTERESTING = (b"\0", b"\x7f", b"\x80", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff")


def seeds(codec: SpeechCodec) -> list[bytes]:
    """Sound files of noise, tones and silence, at several rates."""
    draws, files = np.random.default_rng(0), []
    for length in LENGTHS:
        tone = 0.3 * np.sin(np.arange(length) * 0.2)
        for samples in (tone, 0.1 * draws.standard_normal(length), np.zeros(length), np.sign(tone)):
            files += [codec.compress(samples, kbps, constant) for kbps in (24.0, 64.0) for constant in (False, True)]
    return files


def mutate(draws: random.Random, files: list[bytes], model_id: bytes) -> tuple[bytes, bool]:
    """A changed file, and whether its checksum matches what is before it."""
    data = bytearray(draws.choice(files))
    for _ in range(draws.choice((1, 1, 1, 2, 4))):
        start = draws.randrange(len(data) + 1)
        end = min(len(data), start + draws.choice((1, 1, 2, 4, 8)))
        kind = draws.randrange(6)
        if kind == 0 and start < len(data):
            data[start] ^= 1 << draws.randrange(8)
        elif kind == 1:
            data[start:end] = draws.randbytes(end - start)
        elif kind == 2:
            del data[start:end]
        elif kind == 3:
            data[start:start] = draws.choice(INTERESTING)
        elif kind == 4:
            data[start:start] = data[start:end]
        else:
            other = draws.choice(files)
            data[start:] = other[min(start, len(other)) :]
    repaired = draws.random() < REPAIRED
    if repaired:
        body = bytes(data[:-CHECKSUM_BYTES])
        data[-CHECKSUM_BYTES:] = zlib.crc32(body, zlib.crc32(model_id)).to_bytes(CHECKSUM_BYTES, "big")
    return bytes(data), repaired


def read(codec: SpeechCodec, data: bytes) -> str:
    """What became of a file: "decoded", or why it was refused, without values."""
    try:
        container = unpack_speech(data, codec.model_id)
        if container.samples > SAMPLE_RATE:
            return "longer than a second, not decoded"
        signal = codec.decompress(data)
    except BitstreamError as error:
        return re.sub(r"\d+", "N", str(error).split(":")[0])
    assert len(signal) == container.samples and np.isfinite(signal).all(), "not a signal of the length in the header"
    indices, steps, quantised = map(np.stack, zip(*codec.read(container), strict=True))
    frames = Frames(indices, steps if container.constant else None, quantised)
    assert codec.write(frames, container.step) == container.payload, "two files of one signal"
    return "decoded"


def main() -> None:
    """Reads mutated files until their number is reached, and prints what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    codec, draws = load("speech"), random.Random(arguments.seed)
    files, counts, repairs, began = seeds(codec), Counter[str](), 0, time.monotonic()
    for _ in range(arguments.runs):
        data, repaired = mutate(draws, files, codec.model_id)
        repairs += repaired
        try:
            counts[read(codec, data)] += 1
        except BaseException:
            Path("fuzzed.vqs").write_bytes(data)
            raise
    report = {"runs": arguments.runs, "seed": arguments.seed, "checksum_repaired": repairs, "outcomes": dict(counts)}
    print(json.dumps(report, indent=1), f"{time.monotonic() - began:.0f} s")
    if arguments.json:
        with atomic_path(arguments.json) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
