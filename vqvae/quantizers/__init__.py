"""Quantisers, all behind one contract: `Quantizer.encode`, `decode`, `forward` and `fit`."""

from vqvae.quantizers.additive import AdditiveVQ
from vqvae.quantizers.base import Quantized, Quantizer
from vqvae.quantizers.capabilities import CostAware, PrefixDecodable, TableSearchable
from vqvae.quantizers.codebook_quantizer import CodebookQuantizer
from vqvae.quantizers.estimators import (
    NSVQ,
    DiVeQ,
    Estimate,
    Estimator,
    MovingAverage,
    RotationTrick,
    StraightThrough,
)
from vqvae.quantizers.fsq import FSQ
from vqvae.quantizers.lfq import LFQ
from vqvae.quantizers.product import ProductVQ
from vqvae.quantizers.product_residual import ProductResidualVQ
from vqvae.quantizers.residual import ResidualVQ
from vqvae.quantizers.scheduled_estimator import ScheduledEstimator
from vqvae.quantizers.simvq import SimVQ
from vqvae.quantizers.usage import count_usage, perplexity, replace_unused, usage
from vqvae.quantizers.vq import VQ

__all__ = [
    "FSQ",
    "LFQ",
    "NSVQ",
    "VQ",
    "AdditiveVQ",
    "CodebookQuantizer",
    "CostAware",
    "DiVeQ",
    "Estimate",
    "Estimator",
    "MovingAverage",
    "PrefixDecodable",
    "ProductResidualVQ",
    "ProductVQ",
    "Quantized",
    "Quantizer",
    "ResidualVQ",
    "RotationTrick",
    "ScheduledEstimator",
    "SimVQ",
    "StraightThrough",
    "TableSearchable",
    "count_usage",
    "perplexity",
    "replace_unused",
    "usage",
]
