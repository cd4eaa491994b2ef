"""A product of residual VQs."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.codebook import find_nearest, kmeans, squared_distances


class ProductResidualVQ(Quantizer):
    """Splits each vector into equal pieces and quantises each by a residual VQ of its own.

    Codebooks are ordered stage by stage: codebook s · pieces + m belongs to stage s of piece m, so that the first
    stages of all pieces can be decoded alone.

    Args:
        dim: dimension D of the vectors, a multiple of `pieces`.
        pieces: number of sub-vectors.
        stages: stages of each residual VQ.
        codebook_bits: log2 of the number K of codewords in each codebook.
    """

    has_prefixes = True

    def __init__(self, dim: int, pieces: int, stages: int, codebook_bits: int):
        if pieces < 1 or dim % pieces:
            raise ValueError(f"dim={dim} cannot be split into pieces={pieces} equal pieces: choose a multiple")
        super().__init__(dim, stages * pieces, codebook_bits, codeword_dim=dim // pieces)
        self.pieces = pieces
        self.depth = stages

    def search(self, x: Float[Tensor, "n D"], costs: Float[Tensor, "M K"] | None = None) -> Int64[Tensor, "n M"]:
        chosen = []
        remainder = x
        for stage in range(self.depth if costs is None else len(costs) // self.pieces):
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            index = find_nearest(remainder, self.codebooks[part], None if costs is None else costs[part])
            remainder = remainder - self.decode_stage(index, stage)
            chosen.append(index)
        return torch.cat(chosen, 1)

    def decode_stage(self, indices: Int64[Tensor, "n m"], stage: int) -> Float[Tensor, "n D"]:
        """What one stage adds."""
        books = self.codebooks[stage * self.pieces : (stage + 1) * self.pieces]
        offsets = torch.arange(self.pieces, device=indices.device) * self.codebook_size
        return books.flatten(0, 1).index_select(0, (indices + offsets).flatten()).view(len(indices), self.dim)

    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        stages = indices.split(self.pieces, 1)
        return torch.stack([self.decode_stage(index, stage) for stage, index in enumerate(stages)]).sum(0)

    def distance_tables(self, queries: Float[Tensor, "n D"]) -> Float[Tensor, "M K n"]:
        return squared_distances(queries.repeat(1, self.depth), self.codebooks)

    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 25) -> None:
        """k-means in each piece, stage by stage."""
        remainder = vectors
        for stage in range(self.depth):
            for piece, part in enumerate(remainder.chunk(self.pieces, dim=1)):
                self.codebooks.data[stage * self.pieces + piece] = kmeans(part, self.codebook_size, iterations)
            part = slice(stage * self.pieces, (stage + 1) * self.pieces)
            remainder = remainder - self.decode_stage(find_nearest(remainder, self.codebooks[part]), stage)
