"""Encoders and decoders."""

from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder

__all__ = ["ConvDecoder", "ConvEncoder"]
