"""Checkpoints that are written atomically."""

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from vqvae.media.atomic import atomic_path


class AtomicCheckpoints(TorchCheckpointIO):
    """Replaces a checkpoint once the next one is complete.

    Lightning writes to the system's temporary folder first: if that is on another disk, moving the file overwrites the
    checkpoint in place, and a training killed meanwhile has none.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)
