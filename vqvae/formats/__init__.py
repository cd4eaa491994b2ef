"""File formats, byte for byte as docs/format.md describes them."""

from vqvae.formats.chunks import Chunks, Kind
from vqvae.formats.model_id import ModelId
from vqvae.formats.vqz import Coded, Container, pack, unpack

__all__ = ["Chunks", "Coded", "Container", "Kind", "ModelId", "pack", "unpack"]
