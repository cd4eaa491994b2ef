"""Indices at exactly their bit width."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64

from vqvae.entropy.base import EntropyModel
from vqvae.errors import BitstreamError

CHUNK = 2**16  # indices that are packed at once: whole bytes, whatever the width


class Uniform(EntropyModel):
    """Every index takes log2 K bits, most significant bit first, without gaps; the last byte is filled with zeros."""

    code = 0

    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        return np.full(len(indices), indices[0, ..., known:].size * self.index_bits, dtype=float)

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        return [self._pack(image[..., known:].ravel()) for image in indices]

    def _pack(self, indices: Int64[np.ndarray, " n"]) -> bytes:
        shifts = np.arange(self.index_bits - 1, -1, -1)
        chunks = (indices[start : start + CHUNK, None] >> shifts & 1 for start in range(0, len(indices), CHUNK))
        return b"".join(np.packbits(chunk.astype(np.uint8)).tobytes() for chunk in chunks)

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
        if number and payload[-1] << (number * self.index_bits - 1) % 8 + 1 & 255:
            raise BitstreamError("the bits that fill the payload's last byte are not zero: the file is damaged")
        places = 1 << np.arange(self.index_bits - 1, -1, -1, dtype=np.int64)
        indices = np.empty(number, np.int64)
        for start in range(0, number, CHUNK):
            chunk = indices[start : start + CHUNK]
            packed = np.frombuffer(
                payload, np.uint8, -(-len(chunk) * self.index_bits // 8), start * self.index_bits // 8
            )
            chunk[:] = np.unpackbits(packed, count=len(chunk) * self.index_bits).reshape(len(chunk), -1) @ places
        return indices.reshape(height, width, stages - known)
