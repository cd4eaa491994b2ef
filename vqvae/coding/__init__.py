"""From indices to the bytes of a file and back."""

from vqvae.coding.base import EntropyModel
from vqvae.coding.chunks import Chunks, Kind
from vqvae.coding.container import Coded, Container, pack, unpack
from vqvae.coding.context import Context
from vqvae.coding.histogram import Histogram
from vqvae.coding.uniform import Uniform

__all__ = [
    "Chunks",
    "Coded",
    "Container",
    "Context",
    "EntropyModel",
    "Histogram",
    "Kind",
    "Uniform",
    "pack",
    "unpack",
]
