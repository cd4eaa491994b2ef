"""Residual VQ."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vqvae.quantizers.beam_search import Expansion, search_in_order
from vqvae.quantizers.codebook import find_least
from vqvae.quantizers.pieces import scratch, search_in_pieces
from vqvae.quantizers.summed import SummedQuantizer


class ResidualVQ(SummedQuantizer):
    """M stages, each quantising what the stages before left over; values are summed.

    Juang and Gray, "Multiple stage vector quantization for speech coding", ICASSP 1982. With a beam the search keeps
    several partial sums after each stage, so that a stage may choose second-best where that pays later.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook.
        beam: how many partial sums to keep after each stage; 1 is the greedy search.
    """

    non_decoding_arguments = frozenset({"beam"})

    def __init__(self, dim: int, stages: int, codebook_bits: int, beam: int = 1):
        super().__init__(dim, stages, codebook_bits, beam)

    def search(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        return self._search_greedily(x) if self.beam == 1 else self._search_with_beam(x)

    def _search_greedily(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        size, dim = self.codebooks.shape[1:]
        norms = self.codebooks.square().sum(2).unsqueeze(2)
        scaled = -2 * self.codebooks

        def search(piece: Tensor) -> Tensor:
            n = len(piece)
            costs, codewords, remainder = scratch(n * (size + 2 * dim), like=x).split([n * size, n * dim, n * dim])
            costs, codewords, remainder = costs.view(1, size, n), codewords.view(n, dim), remainder.view(n, dim)
            remainder.copy_(piece)
            chosen: list[Tensor] = []
            for stage in range(self.stages):
                if stage:
                    torch.index_select(self.codebooks[stage - 1], 0, chosen[-1][:, 0], out=codewords)
                    remainder -= codewords
                torch.addmm(norms[stage], scaled[stage], remainder.T, out=costs[0])
                chosen.append(find_least(costs))
            return torch.cat(chosen, dim=1)

        return search_in_pieces(search, x, size + 2 * dim)

    def _search_with_beam(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        terms = Expansion(self.codebooks)

        def search(piece: Tensor) -> Tensor:
            return search_in_order(terms, terms.single(piece), self.beam).indices

        return search_in_pieces(search, x, terms.floats(self.beam))
