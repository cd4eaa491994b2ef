"""Checkpoints that are there whole or not at all."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from vqvae.media.atomic import atomic_path


class AtomicCheckpoints(TorchCheckpointIO):
    """Replaces a checkpoint only when the next one is complete.

    Lightning's own way is a temporary file in the system's folder for these: where that lies on another disk, the
    checkpoint is overwritten piece by piece, and a training killed meanwhile has none.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)
