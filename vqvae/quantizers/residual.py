"""Residual VQ."""

import torch
from jaxtyping import Float32
from torch import Tensor

from vqvae.quantizers.beam_search import Expansion, search_in_order
from vqvae.quantizers.chunking import Search
from vqvae.quantizers.nearest import argmin
from vqvae.quantizers.summed import SummedQuantizer
from vqvae.quantizers.workspace import workspace


class ResidualVQ(SummedQuantizer):
    """M stages, each quantising what the stages before left over; values are summed.

    Juang and Gray, "Multiple stage vector quantization for speech coding", ICASSP 1982. With a beam the search keeps
    several partial sums after each stage, so that a stage may choose second-best where that pays later.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook; either this or `codebook_size`.
        beam: number of partial sums to keep after each stage; 1 is the greedy search.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    non_decoding_arguments = frozenset({"beam"})

    def __init__(
        self,
        dim: int,
        stages: int,
        codebook_bits: int | None = None,
        beam: int = 1,
        codebook_size: int | None = None,
        channel_dim: int = -1,
    ):
        super().__init__(dim, stages, codebook_bits, beam, codebook_size, channel_dim)

    def prepare(self, codebooks: Float32[Tensor, "m K D"], costs: Float32[Tensor, "m K"] | None) -> Search:
        return residual_search(codebooks, costs, self.beam)


def residual_search(codebooks: Float32[Tensor, "m K d"], costs: Float32[Tensor, "m K"] | None, beam: int) -> Search:
    """A search through the codebooks in their order, for the sum of codewords of least squared distance plus costs.

    Args:
        codebooks: one for each stage.
        costs: of each codeword, to be added to the squared distance.
        beam: number of partial sums to keep after each stage.
    """
    if beam == 1:
        return _greedy_search(codebooks, costs)
    terms = Expansion(codebooks, costs)
    return Search(lambda x: search_in_order(terms, terms.single(x), beam).indices, terms.floats(beam))


def _greedy_search(codebooks: Float32[Tensor, "m K d"], costs: Float32[Tensor, "m K"] | None) -> Search:
    size, dim = codebooks.shape[1:]
    offsets = codebooks.square().sum(2).unsqueeze(2)
    if costs is not None:
        offsets = offsets + costs.unsqueeze(2)
    scaled = -2 * codebooks

    def find(x: Tensor) -> Tensor:
        n = x.shape[0]
        distances, codewords, remainder = workspace(n * (size + 2 * dim), like=x).split([n * size, n * dim, n * dim])
        distances, codewords, remainder = distances.view(1, size, n), codewords.view(n, dim), remainder.view(n, dim)
        remainder.copy_(x)
        chosen: list[Tensor] = []
        for stage in range(len(codebooks)):
            if stage:
                torch.index_select(codebooks[stage - 1], 0, chosen[-1][:, 0], out=codewords)
                remainder -= codewords
            torch.addmm(offsets[stage], scaled[stage], remainder.T, out=distances[0])
            chosen.append(argmin(distances))
        return torch.cat(chosen, dim=1)

    return Search(find, size + 2 * dim)
