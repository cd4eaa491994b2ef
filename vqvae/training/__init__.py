"""Training with pytorch-lightning."""

from vqvae.training.module import ImageCompression

__all__ = ["ImageCompression"]
