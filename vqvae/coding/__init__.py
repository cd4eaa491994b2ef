"""From indices to the bytes of a file and back."""

from vqvae.coding.base import EntropyModel
from vqvae.coding.container import Coded, Container, pack, unpack
from vqvae.coding.context import Context
from vqvae.coding.histogram import Histogram
from vqvae.coding.uniform import Uniform

__all__ = ["Coded", "Container", "Context", "EntropyModel", "Histogram", "Uniform", "pack", "unpack"]
