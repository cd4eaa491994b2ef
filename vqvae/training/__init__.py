"""Training with pytorch-lightning."""

from vqvae.training.checkpoints import AtomicCheckpoints
from vqvae.training.module import ImageCompression

__all__ = ["AtomicCheckpoints", "ImageCompression"]
