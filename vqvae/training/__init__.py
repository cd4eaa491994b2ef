"""Training with pytorch-lightning."""

from vqvae.errors import needs_extra

with needs_extra("train"):
    from vqvae.training.base import QuantizerTraining
    from vqvae.training.checkpoints import AtomicCheckpoints
    from vqvae.training.images import ImageCompression
    from vqvae.training.rate_distortion import RateDistortion
    from vqvae.training.variable_rate import VariableRate
    from vqvae.training.vectors import VectorCompression

__all__ = [
    "AtomicCheckpoints",
    "ImageCompression",
    "QuantizerTraining",
    "RateDistortion",
    "VariableRate",
    "VectorCompression",
]
