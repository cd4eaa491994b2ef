"""Codecs: an image ↔ the bytes of a file."""

from vqvae.codec.image import Codec, Fingerprints

__all__ = ["Codec", "Fingerprints"]
