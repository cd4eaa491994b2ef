"""Indices at exactly their bit width."""

import numpy as np
from jaxtyping import Int64

from vqvae.coding.base import EntropyModel
from vqvae.errors import BitstreamError


class Uniform(EntropyModel):
    """Every index takes log2 K bits, most significant bit first, without gaps; the last byte is filled with zeros."""

    code = 0

    def bits(self, indices: Int64[np.ndarray, "h w M"]) -> float:
        return float(indices.size * self.index_bits)

    def encode(self, indices: Int64[np.ndarray, "h w M"]) -> bytes:
        shifts = np.arange(self.index_bits - 1, -1, -1)
        bits = (indices.reshape(-1, 1) >> shifts & 1).astype(np.uint8)
        return np.packbits(bits).tobytes()

    def decode(self, payload: bytes, height: int, width: int) -> Int64[np.ndarray, "h w M"]:
        number = height * width * self.stages
        needed = -(-number * self.index_bits // 8)
        if len(payload) != needed:
            raise BitstreamError(
                f"the payload has {len(payload)} bytes, but {height}×{width} vectors of {self.stages} indices of "
                f"{self.index_bits} bits take {needed}: the file is damaged"
            )
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))
        if bits[number * self.index_bits :].any():
            raise BitstreamError("the bits that fill the payload's last byte are not zero: the file is damaged")
        digits = bits[: number * self.index_bits].reshape(height, width, self.stages, self.index_bits)
        return digits @ (1 << np.arange(self.index_bits - 1, -1, -1, dtype=np.int64))
