"""Entropy models: indices ↔ bytes, with tables that both sides know."""

from vqvae.entropy.base import EntropyModel, LayeredEntropyModel
from vqvae.entropy.context.layered import LayeredContext
from vqvae.entropy.context.model import Context
from vqvae.entropy.histogram import Histogram
from vqvae.entropy.uniform import Uniform

__all__ = ["Context", "EntropyModel", "Histogram", "LayeredContext", "LayeredEntropyModel", "Uniform"]
