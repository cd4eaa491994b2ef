"""Encoders and decoders."""

from vqvae.networks.base import Decoder, Encoder
from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder
from vqvae.networks.lapped import LappedDecoder, LappedEncoder
from vqvae.networks.variable_rate import VariableRateDecoder, VariableRateEncoder

__all__ = [
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Encoder",
    "LappedDecoder",
    "LappedEncoder",
    "VariableRateDecoder",
    "VariableRateEncoder",
]
