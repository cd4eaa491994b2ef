"""Additive VQ by beam search."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from vqvae.quantizers.compiled import kernels_for
from vqvae.quantizers.pieces import search_in_pieces
from vqvae.quantizers.summed import Expansion, SummedQuantizer

UNUSED = -1  # in a path: no codeword chosen yet in this codebook


class AdditiveVQ(SummedQuantizer):
    """M codebooks, chosen from in any order; values are summed.

    Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014: every step searches the
    union of the codebooks not yet used on a path and keeps the `beam` best partial sums. Partial sums that differ only
    in the order of their codewords count once.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: log2 of the number K of codewords in each codebook.
        beam: how many partial sums to keep at each step.
        refinements: rounds of local search after it, as in Martinez et al., "LSQ++", ECCV 2018: each codeword in turn is
            chosen anew, given the others. That only ever lowers the error; a vector for which it no longer does is done.
    """

    def __init__(self, dim: int, stages: int, codebook_bits: int, beam: int = 16, refinements: int = 0):
        super().__init__(dim, stages, codebook_bits, beam)
        if refinements < 0:
            raise ValueError(f"refinements is {refinements}, but must not be negative")
        self.refinements = refinements

    def search(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        terms = Expansion(self.codebooks)
        kernels, table = kernels_for(x), terms.table

        def search(piece: Tensor) -> Tensor:
            single = terms.single(piece)
            if kernels is None or table is None:
                return self._refine(self._search_piece(single, terms), single, terms)
            indices = kernels.search_in_any_order(single, table, self.beam)
            return kernels.refine(single, table, indices, self.refinements)

        held = self.stages * self.codebook_size
        return search_in_pieces(search, x, held if kernels and table is not None else held * (1 + 3 * self.beam))

    def _search_piece(self, single: Float[Tensor, "n M K"], terms: Expansion) -> Int64[Tensor, "n M"]:
        size = self.codebook_size
        cost = single.new_zeros(len(single), 1)
        extra = single.flatten(1).unsqueeze(1)  # n beam MK: what adding each codeword to a partial sum costs
        paths = torch.full((len(single), 1, self.stages), UNUSED, device=single.device)
        for step in range(self.stages):
            taken = (paths != UNUSED).repeat_interleave(size, dim=2)
            candidates = (cost.unsqueeze(2) + extra).masked_fill(taken, torch.inf).flatten(1)
            # A set of step + 1 codewords is reached from at most step + 1 parents, so this many hold `beam` distinct
            open_candidates = paths.shape[1] * (self.stages - step) * size
            cost, best = candidates.topk(min(self.beam * (step + 1), open_candidates), largest=False)
            parent, codeword = best // extra.shape[2], best % extra.shape[2]
            paths = _take(paths, parent).scatter(2, (codeword // size).unsqueeze(2), (codeword % size).unsqueeze(2))
            cost = cost.masked_fill(self._repeats(paths), torch.inf)
            keep = min(self.beam, cost.shape[1]) if step < self.stages - 1 else 1
            cost, kept = cost.topk(keep, largest=False)
            paths = _take(paths, kept)
            extra = _take(extra, parent.gather(1, kept)) + terms.pair(codeword.gather(1, kept))
        return paths[:, 0]

    def _refine(
        self, indices: Int64[Tensor, "n M"], single: Float[Tensor, "n M K"], terms: Expansion
    ) -> Int64[Tensor, "n M"]:
        size = self.codebook_size
        for turn in range(self.refinements * self.stages):
            stage = turn % self.stages
            here = slice(stage * size, (stage + 1) * size)
            others = [other for other in range(self.stages) if other != stage]
            costs = single[:, stage] + sum(terms.pair(indices[:, other] + other * size, here) for other in others)
            least, best = costs.min(1)
            before = indices[:, stage]
            lower = least < costs.gather(1, before.unsqueeze(1)).squeeze(1)
            indices[:, stage] = torch.where(lower, best, before)
        return indices

    def _repeats(self, paths: Int64[Tensor, "n b M"]) -> Bool[Tensor, "n b"]:
        """Which paths hold the same codewords as a path before them."""
        # A path's number: its digits to the base K + 1. Past 64 bits it wraps, and a clash drops one candidate at worst
        place = (self.codebook_size + 1) ** torch.arange(self.stages, device=paths.device)
        number = ((paths + 1) * place).sum(2)
        return (number.unsqueeze(2) == number.unsqueeze(1)).tril(-1).any(2)


def _take(beams: Tensor, which: Int64[Tensor, "n b"]) -> Tensor:
    """Chooses some of each vector's beams, (n, beam, …) → (n, b, …)."""
    return beams.gather(1, which.unsqueeze(2).expand(-1, -1, beams.shape[2]))
