"""Quantisers, all behind one contract: `Quantizer.encode`, `decode`, `forward` and `fit`."""

from vqvae.quantizers.additive import AdditiveVQ
from vqvae.quantizers.base import Quantized, Quantizer
from vqvae.quantizers.codebook import count_usage, perplexity, replace_unused, usage
from vqvae.quantizers.estimators import (
    NSVQ,
    DiVeQ,
    Estimate,
    Estimator,
    MovingAverage,
    RotationTrick,
    StraightThrough,
)
from vqvae.quantizers.product import ProductVQ
from vqvae.quantizers.residual import ResidualVQ
from vqvae.quantizers.vq import VQ

__all__ = [
    "NSVQ",
    "VQ",
    "AdditiveVQ",
    "DiVeQ",
    "Estimate",
    "Estimator",
    "MovingAverage",
    "ProductVQ",
    "Quantized",
    "Quantizer",
    "ResidualVQ",
    "RotationTrick",
    "StraightThrough",
    "count_usage",
    "perplexity",
    "replace_unused",
    "usage",
]
