"""Writes golden files of speech: python -m tests.golden.make_speech. Files of earlier versions stay as they are.

With the bundled model's file as it is now: a file of average and one of constant rate, and the integers in them.
"""

import shutil

import numpy as np

from tests.golden.make import FOLDER
from tests.speech.conftest import vowel
from vqvae.formats.vqs import VERSION, unpack_speech
from vqvae.models.speech import load_speech
from vqvae.models.store import find_model


def main() -> None:
    model = FOLDER / f"v{VERSION}-speech.safetensors"
    shutil.copy(find_model("speech"), model)
    codec = load_speech(model)
    for name, constant in {"average": False, "constant": True}.items():
        data = codec.compress(vowel(1.0, seed=3), 16.4, constant)
        frames = list(codec.read(unpack_speech(data, codec.model_id)))
        arrays = {key: np.stack([getattr(frame, key) for frame in frames]) for key in frames[0]._fields}
        stem = FOLDER / f"v{VERSION}-speech-{name}"
        stem.with_suffix(".vqs").write_bytes(data)
        signal = np.round(codec.decompress(data) * 32768).astype(np.int16)
        np.savez_compressed(stem.with_suffix(".npz"), signal=signal, **arrays)


if __name__ == "__main__":
    main()
