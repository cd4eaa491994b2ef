"""Containers changed by what the changes reach: python -m benchmarks.fuzz.guided vqz -runs=10000000 [-seed=1].

atheris (pip install atheris; Linux, macOS) watches which lines of `vqvae.entropy`, `vqvae.formats` and
`vqvae.media.metadata_chunks` an input reaches, and goes on from those that reach new ones. Doors and checks are those
of `benchmarks.fuzz`; a fault stops the run and leaves the input in a file. Options are libFuzzer's.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vqvae.entropy", "vqvae.formats", "vqvae.media.metadata_chunks"]):
    from benchmarks.fuzz.containers import Vqa, Vqs, Vqz

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as corpus:
        door = {"vqz": Vqz, "vqa": Vqa, "vqs": Vqs}[sys.argv[1]](Path(folder))
        for name, data in door.seeds.items():
            Path(corpus, name).write_bytes(data)
        atheris.Setup([sys.argv[0], "-max_len=1000", *sys.argv[2:], corpus], lambda data: door.check("", data))
        atheris.Fuzz()
