"""Indices at exactly their bit width."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64

from vqvae.coding.base import EntropyModel
from vqvae.errors import BitstreamError


class Uniform(EntropyModel):
    """Every index takes log2 K bits, most significant bit first, without gaps; the last byte is filled with zeros."""

    code = 0

    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        return np.full(len(indices), indices[0, ..., known:].size * self.index_bits, dtype=float)

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        shifts = np.arange(self.index_bits - 1, -1, -1)
        return [
            np.packbits((image[..., known:].reshape(-1, 1) >> shifts & 1).astype(np.uint8)).tobytes()
            for image in indices
        ]

    def decode(
        self, payloads: Sequence[bytes], known: Int64[np.ndarray, "n h w k"], stages: int
    ) -> Int64[np.ndarray, "n h w m"]:
        return np.concatenate(
            [known, np.stack([self._unpack(payload, known.shape, stages) for payload in payloads])], -1
        )

    def _unpack(self, payload: bytes, shape: tuple[int, ...], stages: int) -> Int64[np.ndarray, "h w m"]:
        _, height, width, known = shape
        number = height * width * (stages - known)
        needed = -(-number * self.index_bits // 8)
        if len(payload) != needed:
            raise BitstreamError(
                f"the payload has {len(payload)} bytes, but {height}×{width} vectors of {stages - known} indices of "
                f"{self.index_bits} bits take {needed}: the file is damaged"
            )
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))
        if bits[number * self.index_bits :].any():
            raise BitstreamError("the bits that fill the payload's last byte are not zero: the file is damaged")
        digits = bits[: number * self.index_bits].reshape(height, width, stages - known, self.index_bits)
        return digits @ (1 << np.arange(self.index_bits - 1, -1, -1, dtype=np.int64))
