"""Codecs: an image ↔ the bytes of a file."""

from vqvae.codec.image import ImageCodec

__all__ = ["ImageCodec"]
