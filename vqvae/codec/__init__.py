"""Codecs: an image ↔ the bytes of a file."""

from vqvae.codec.image import Codec

__all__ = ["Codec"]
