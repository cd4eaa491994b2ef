"""The work on one file of speech, as a task for a pipeline: a sound file to a .vqs file, or back."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from vqvae.bulk.outputs import make_folders
from vqvae.bulk.pipeline import BatchRequest
from vqvae.bulk.plan import Job
from vqvae.bulk.tasks import FileTask
from vqvae.errors import errors_of
from vqvae.media.atomic import atomic_path
from vqvae.media.audio import Recording, check_writable_audio, read_audio, write_audio
from vqvae.speech.codec import DEFAULT_RATE
from vqvae.speech.mdct import SAMPLE_RATE


class SpeechFileResult(NamedTuple):
    """What became of one file of speech.

    Attributes:
        source, target: the files.
        bytes: size of the compressed file.
        samples: how many, at 16 kHz.
        changes: what was done to the samples before they were compressed, in words.
    """

    source: Path
    target: Path
    bytes: int
    samples: int
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CompressSpeech(FileTask[Recording]):
    """Compresses sound files to .vqs files.

    Attributes:
        kbps: rate in kbit/s.
        constant: whether each frame keeps to it.
    """

    kbps: int | float = DEFAULT_RATE
    constant: bool = False

    def read(self, item: Job) -> Recording:
        return read_audio(item.source, SAMPLE_RATE)

    def request(self, item: Job, loaded: Recording) -> BatchRequest:
        codec = self.store.speech

        def compress(batch: list[Float32[np.ndarray, " n"]]) -> list[bytes]:
            return [codec.compress(samples, self.kbps, self.constant) for samples in batch]

        return BatchRequest(compress, loaded.samples, item, 1, partial(self._write, item, loaded))

    def _write(self, item: Job, recording: Recording, data: bytes) -> SpeechFileResult:
        make_folders(item.target.parent)
        with atomic_path(item.target) as temporary:
            temporary.write_bytes(data)
        return SpeechFileResult(item.source, item.target, len(data), len(recording.samples), recording.changes)


@dataclass(frozen=True, kw_only=True)
class DecompressSpeech(FileTask[bytes]):
    """Decompresses .vqs files to sound files."""

    def read(self, item: Job) -> bytes:
        with errors_of(item.target):
            check_writable_audio(item.target.suffix)
        return item.source.read_bytes()

    def request(self, item: Job, loaded: bytes) -> BatchRequest:
        codec = self.store.speech

        def decompress(batch: list[bytes]) -> list[Float32[np.ndarray, " n"]]:
            return [codec.decompress(data) for data in batch]

        return BatchRequest(decompress, loaded, item, 1, partial(self._write, item, len(loaded)))

    def _write(self, item: Job, size: int, samples: Float32[np.ndarray, " n"]) -> SpeechFileResult:
        make_folders(item.target.parent)
        with errors_of(item.target), atomic_path(item.target) as temporary:
            write_audio(samples, SAMPLE_RATE, temporary, item.target.suffix)
        return SpeechFileResult(item.source, item.target, size, len(samples))
