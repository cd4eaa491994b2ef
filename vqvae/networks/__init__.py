"""Encoders and decoders."""

from vqvae.networks.base import Decoder, Encoder
from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder
from vqvae.networks.lapped import LappedDecoder, LappedEncoder

__all__ = ["ConvDecoder", "ConvEncoder", "Decoder", "Encoder", "LappedDecoder", "LappedEncoder"]
