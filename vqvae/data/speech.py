"""Recordings of speech, as frames of their spectrum."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from vqvae.data.vectors import VectorDataModule, VectorsInMemory
from vqvae.errors import DataError
from vqvae.media.audio import READABLE_AUDIO, read_audio
from vqvae.speech.codec import FULL_SCALE
from vqvae.speech.mdct import SAMPLE_RATE, mdct


class Speech(VectorDataModule):
    """The MDCT frames of the recordings in a folder and its subfolders, (n, 320) float32.

    Every `hold_out_every`-th recording, by name, is kept out of training, for validation and test.

    Args:
        root: the folder.
        batch_size: frames per batch.
        hold_out_every: one recording in so many is held out.
    """

    def __init__(self, root: str | None, batch_size: int, hold_out_every: int = 8):
        super().__init__(batch_size)
        if root is None:
            raise DataError("no folder of recordings given: name it with data.root=FOLDER")
        self.root = Path(root)
        self.hold_out_every = hold_out_every

    def setup(self, stage: str | None = None) -> None:
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in READABLE_AUDIO)
        if len(paths) < 2:
            raise DataError(
                f"{self.root} holds {len(paths)} recordings, but at least 2 are needed: name another data.root"
            )
        signals = [read_audio(path, SAMPLE_RATE).samples for path in paths]
        self.signals: list[Float32[np.ndarray, " n"]] = [
            signal for number, signal in enumerate(signals) if number % self.hold_out_every
        ]
        self.train_set = _frames(self.signals)
        self.val_set = self.test_set = _frames(signals[:: self.hold_out_every])


def _frames(signals: list[Float32[np.ndarray, " n"]]) -> VectorsInMemory:
    spectra = [torch.from_numpy(mdct(signal.astype(np.float64) * FULL_SCALE)).float() for signal in signals]
    return VectorsInMemory(torch.cat(spectra))
