"""Additive VQ by beam search."""

from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.beam_search import Expansion, refine, search_in_any_order, search_in_order
from vqvae.quantizers.chunking import Search
from vqvae.quantizers.summed import SummedQuantizer


class AdditiveVQ(SummedQuantizer):
    """M codebooks, chosen from in any order; values are summed.

    Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014: every step searches the
    union of the codebooks not yet used on a path and keeps the `beam` best partial sums; those that differ only in the
    order of their codewords count once. A search through the codebooks in their order runs as well; it is the better
    one where the first codebooks are coarse and the last ones fine. Each vector takes the nearer of the two results, so
    that the error is never above that of residual VQ with the same codebooks and beam.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook; either this or `codebook_size`.
        beam: number of partial sums to keep at each step.
        refinements: rounds of local search after it, as in Martinez et al., "LSQ++", ECCV 2018: each codeword in turn
            is chosen anew, given the others, where that lowers the error.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    non_decoding_arguments = frozenset({"beam", "refinements"})

    def __init__(
        self,
        dim: int,
        stages: int,
        codebook_bits: int | None = None,
        beam: int = 16,
        refinements: int = 0,
        codebook_size: int | None = None,
        channel_dim: int = -1,
    ):
        super().__init__(dim, stages, codebook_bits, beam, codebook_size, channel_dim)
        if refinements < 0:
            raise ValueError(f"refinements is {refinements}, but must not be negative")
        self.refinements = refinements

    def prepare(self, codebooks: Float32[Tensor, "m K D"], costs: Float32[Tensor, "m K"] | None) -> Search:
        terms = Expansion(codebooks, costs)

        def find(x: Tensor) -> Tensor:
            single = terms.single(x)
            found = search_in_any_order(terms, single, self.beam).or_lower(search_in_order(terms, single, self.beam))
            return refine(terms, single, found.indices, self.refinements)

        return Search(find, terms.floats(self.beam))
