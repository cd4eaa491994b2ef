"""Lightning callbacks of the trainings."""

from vqvae.training.callbacks.average import AverageWeights
from vqvae.training.callbacks.divergence import StopWhenDiverged
from vqvae.training.callbacks.initialization import InitializeCodebooks, InitializeTransforms
from vqvae.training.callbacks.maintenance import MaintainCodebooks
from vqvae.training.callbacks.progress import ProgressBar

__all__ = [
    "AverageWeights",
    "InitializeCodebooks",
    "InitializeTransforms",
    "MaintainCodebooks",
    "ProgressBar",
    "StopWhenDiverged",
]
