"""What residual and additive VQ share: values are sums of codewords."""

from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.capabilities import PrefixDecodable
from vqvae.quantizers.chunking import search_in_chunks
from vqvae.quantizers.codebook_quantizer import CodebookQuantizer
from vqvae.quantizers.joint_fit import fit_jointly

MAX_BEAM = 4096


class SummedQuantizer(CodebookQuantizer, PrefixDecodable):
    """M codebooks; a vector's value is the sum of one codeword from each.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook; either this or `codebook_size`.
        beam: number of partial sums that the search keeps at each step.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    def __init__(
        self,
        dim: int,
        stages: int,
        codebook_bits: int | None,
        beam: int,
        codebook_size: int | None,
        channel_dim: int,
    ):
        check_beam(beam)
        super().__init__(dim, stages, codebook_bits, codebook_size, channel_dim=channel_dim)
        self.beam = beam

    @property
    def prefixes(self) -> tuple[int, ...]:
        return tuple(range(1, self.num_indices + 1))

    def fit_codebooks(self, vectors: Float32[Tensor, "n D"], iterations: int) -> Float32[Tensor, "M K D"]:
        """k-means stage by stage, then search and least squares for all codebooks in turn (`joint_fit.py`)."""

        def choose(x: Tensor, codebooks: Tensor) -> Tensor:
            return search_in_chunks(self.prepare(codebooks, None), x)

        return fit_jointly(choose, vectors, self.stages, self.codebook_size, iterations)

    def extra_repr(self) -> str:
        """What `repr` says of the quantiser."""
        return f"{super().extra_repr()}, beam={self.beam}"


def check_beam(beam: int) -> None:
    """Raises ValueError unless a search can keep so many partial sums."""
    if not 1 <= beam <= MAX_BEAM:
        raise ValueError(f"beam is {beam}, but must be from 1 to {MAX_BEAM}")
