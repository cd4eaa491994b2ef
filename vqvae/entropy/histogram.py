"""How often each index occurs."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor

from vqvae.entropy.base import EntropyModel, Track
from vqvae.entropy.range_coder import PRECISION, Decoder, Encoder, check_length, symbol_bits, to_frequencies


class Histogram(EntropyModel):
    """One table of frequencies for each stage; the indices are independent. Stage by stage, row by row.

    Before `fit` all indices are equally likely.

    Args:
        stages: number M of indices per vector.
        index_bits: bits of one index, log2 K.
    """

    code = 1

    def __init__(self, stages: int, index_bits: int):
        super().__init__(stages, index_bits)
        even = torch.from_numpy(to_frequencies(np.ones(1 << index_bits, dtype=np.int64)))
        # Not a copy of NumPy's memory for all stages: on the meta device, where files are loaded, it takes none
        self.register_buffer("frequencies", torch.empty(stages, 1 << index_bits, dtype=torch.int32).copy_(even))

    def fit(
        self, indices: Integer[np.ndarray, "n h w M"], contributions: Float[Tensor, "M K D"], track: Track = iter
    ) -> None:
        planes = indices.reshape(-1, self.stages).T
        counts = np.stack([np.bincount(plane, minlength=1 << self.index_bits) for plane in planes])
        weights = (counts << 20) // counts.max(1, keepdims=True)
        self.frequencies: Tensor = torch.from_numpy(to_frequencies(weights)).int()

    def check(self) -> None:
        frequencies = self.frequencies.long()
        spare = (1 << PRECISION) - frequencies.shape[1]
        if self.frequencies.dtype != torch.int32 or (frequencies < 0).any() or (frequencies.sum(1) != spare).any():
            raise ValueError("the histogram's frequencies are not integers that sum to 2^24")

    @property
    def _tables(self) -> Float32[np.ndarray, "M K"]:
        return self.frequencies.float().numpy()

    def costs(self) -> Float[np.ndarray, "M K"]:
        return PRECISION - np.log2(self._tables + 1)

    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        tables = self._tables
        return sum(
            symbol_bits(indices[..., stage].ravel(), tables[stage]).reshape(len(indices), -1).sum(1)
            for stage in range(known, indices.shape[3])
        )

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        return [self._encode(image, known) for image in indices]

    def _encode(self, image: Int64[np.ndarray, "h w m"], known: int) -> bytes:
        encoder, tables = Encoder(), self._tables
        for stage in range(known, image.shape[2]):
            encoder.encode(image[..., stage].ravel(), tables[stage])
        return encoder.finish()

    def decode(
        self, payloads: Sequence[bytes], known: Int64[np.ndarray, "n h w k"], stages: int
    ) -> Int64[np.ndarray, "n h w m"]:
        return np.concatenate(
            [known, np.stack([self._decode(payload, known.shape, stages) for payload in payloads])], -1
        )

    def _decode(self, payload: bytes, shape: tuple[int, ...], stages: int) -> Int64[np.ndarray, "h w m"]:
        _, height, width, known = shape
        vectors = height * width
        check_length(payload, vectors * (stages - known))
        decoder, tables = Decoder(payload), self._tables
        planes = [decoder.decode(vectors, tables[stage]) for stage in range(known, stages)]
        decoder.finish()
        return np.stack(planes, -1).astype(np.int64).reshape(height, width, stages - known)
