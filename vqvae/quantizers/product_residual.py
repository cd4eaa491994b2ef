"""Product of residual VQs."""

import torch
from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.capabilities import PrefixDecodable
from vqvae.quantizers.chunking import Search, search_in_chunks
from vqvae.quantizers.codebook_quantizer import CodebookQuantizer
from vqvae.quantizers.joint_fit import fit_jointly
from vqvae.quantizers.kmeans import kmeans
from vqvae.quantizers.nearest import nearest_search
from vqvae.quantizers.residual import residual_search
from vqvae.quantizers.summed import check_beam


class ProductResidualVQ(CodebookQuantizer, PrefixDecodable):
    """Splits each vector into equal pieces and quantises each by residual VQ with codebooks of its own.

    As faiss's `ProductResidualQuantizer`, but indices and codebooks are ordered by stage: codebook s · pieces + p is
    for stage s of piece p, so that the first stages of all pieces are a prefix. One stage is product VQ, one piece is
    residual VQ.

    Args:
        dim: dimension D of the vectors, a multiple of `pieces`.
        pieces: number of pieces.
        stages: number of stages of each piece; M = stages · pieces.
        codebook_bits: log2 of the number K of codewords in each codebook; either this or `codebook_size`.
        beam: number of partial sums of a piece that the search keeps after each stage; 1 is the greedy search.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    non_decoding_arguments = frozenset({"beam"})

    def __init__(
        self,
        dim: int,
        pieces: int,
        stages: int,
        codebook_bits: int | None = None,
        beam: int = 8,
        codebook_size: int | None = None,
        channel_dim: int = -1,
    ):
        check_beam(beam)
        for name, value in {"pieces": pieces, "stages": stages}.items():
            if value < 1:
                raise ValueError(f"{name} is {value}, but must be at least 1")
        super().__init__(dim, stages * pieces, codebook_bits, codebook_size, pieces, channel_dim)
        self.beam = beam

    @property
    def stages(self) -> int:
        """Number of stages of each piece."""
        return self.num_indices // self.pieces

    @property
    def prefixes(self) -> tuple[int, ...]:
        return tuple(range(self.pieces, self.num_indices + 1, self.pieces))

    def prepare(self, codebooks: Float32[Tensor, "m K d"], costs: Float32[Tensor, "m K"] | None) -> Search:
        if len(codebooks) == self.pieces:
            return nearest_search(codebooks, costs)
        searches = [
            residual_search(codebooks[own].contiguous(), None if costs is None else costs[own], self.beam)
            for own in self._codebooks_of_pieces()
        ]

        def find(x: Tensor) -> Tensor:
            pieces = x.chunk(self.pieces, dim=1)
            found = [search.find(piece) for search, piece in zip(searches, pieces, strict=True)]
            return torch.stack(found, dim=2).flatten(1)

        return Search(find, searches[0].floats)

    def fit_codebooks(self, vectors: Float32[Tensor, "n D"], iterations: int) -> Float32[Tensor, "M K d"]:
        """As residual VQ does in each piece (`joint_fit.py`), or k-means in each, as product VQ, for one stage."""

        def choose(x: Tensor, codebooks: Tensor) -> Tensor:
            return search_in_chunks(residual_search(codebooks, None, self.beam), x)

        codebooks = torch.empty(self.codebooks.shape, dtype=torch.float32, device=vectors.device)
        for own, piece in zip(self._codebooks_of_pieces(), vectors.chunk(self.pieces, dim=1), strict=True):
            if self.stages == 1:
                codebooks[own] = kmeans(piece, self.codebook_size, iterations)
            else:
                codebooks[own] = fit_jointly(choose, piece, self.stages, self.codebook_size, iterations)
        return codebooks

    def _codebooks_of_pieces(self) -> list[slice]:
        return [slice(piece, None, self.pieces) for piece in range(self.pieces)]

    def extra_repr(self) -> str:
        """What `repr` says of the quantiser."""
        return f"{super().extra_repr()}, pieces={self.pieces}, beam={self.beam}"
