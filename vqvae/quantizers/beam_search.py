"""Beam searches for the sum of codewords, one from each codebook, that is nearest to a vector."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from vqvae.quantizers.dispatch import kernels_for
from vqvae.quantizers.workspace import workspace

MAX_TABLE_FLOATS = 2**26  # of a table of all pairs of codewords: 256 MiB
UNUSED = -1  # in a path: no codeword chosen yet in this codebook


class BeamResult(NamedTuple):
    """The best sum that a search found for each vector.

    Attributes:
        indices: its codewords.
        costs: its squared distance minus ‖x‖², plus the costs of its codewords.
    """

    indices: Int64[Tensor, "n M"]
    costs: Float32[Tensor, " n"]

    def or_lower(self, other: "BeamResult") -> "BeamResult":
        """The better of two for each vector."""
        lower = other.costs < self.costs
        return BeamResult(
            torch.where(lower.unsqueeze(1), other.indices, self.indices), torch.where(lower, other.costs, self.costs)
        )


class Expansion:
    """The terms of ‖x − Σc‖² − ‖x‖² = Σ (‖c‖² − 2 x·c) + Σ 2 c·c', the last over pairs of codewords.

    With them no step of a search touches the D dimensions again.

    Args:
        codebooks: the codebooks.
        costs: of each codeword, to be added to the squared distance.
    """

    def __init__(self, codebooks: Float32[Tensor, "M K D"], costs: Float32[Tensor, "M K"] | None = None):
        norms = codebooks.square().sum(2)
        if costs is not None:
            norms = norms + costs
        fits = codebooks.shape[:2].numel() ** 2 <= MAX_TABLE_FLOATS
        self.kernels = kernels_for(codebooks) if fits else None
        if self.kernels:  # they read whole blocks of codewords; those added are infinitely far
            missing = self.kernels.missing_codewords(codebooks.shape[1])
            codebooks, norms = F.pad(codebooks, (0, 0, 0, missing)), F.pad(norms, (0, missing), value=torch.inf)
        self.stages, self.size, _ = codebooks.shape
        self.codewords = codebooks.flatten(0, 1)
        self.norms = norms.flatten()
        self.scaled = -2 * self.codewords
        self.table = -self.scaled @ self.codewords.T if fits else None

    def single(self, x: Float32[Tensor, "n D"]) -> Float32[Tensor, "n M K"]:
        """‖c‖² − 2 x·c, and the costs, in a buffer that is valid until the next call."""
        buffer = workspace(x.shape[0], len(self.codewords), like=x)
        return torch.addmm(self.norms, x, self.scaled.T, out=buffer).unflatten(1, (self.stages, self.size))

    def pair(self, codewords: Int64[Tensor, "*n"], others: slice = slice(None)) -> Float32[Tensor, "*n k"]:
        """2 c·c' of some codewords and of others, both numbered across codebooks."""
        if self.table is None:
            return -self.scaled[codewords] @ self.codewords[others].T
        return self.table[:, others][codewords]

    def pairs(self) -> Float32[Tensor, "M K M K"]:
        """2 c·c' of all codewords."""
        assert self.table is not None
        return self.table.view(self.stages, self.size, self.stages, self.size)

    def codebook(self, stage: int) -> slice:
        """The numbers of a codebook's codewords across codebooks."""
        return slice(stage * self.size, (stage + 1) * self.size)

    def floats(self, beam: int) -> int:
        """Number of floats that a search with this beam holds for each vector."""
        return self.stages * self.size * (1 if self.kernels else 1 + 3 * beam)


def search_in_order(terms: Expansion, single: Float32[Tensor, "n M K"], beam: int) -> BeamResult:
    """Goes through the codebooks in their order, and keeps the `beam` best partial sums after each."""
    if terms.kernels:
        return BeamResult(*terms.kernels.search(single, terms.pairs(), beam, ordered=True))
    size = terms.size
    cost = single.new_zeros(single.shape[0], 1)
    paths = torch.empty(single.shape[0], 1, 0, dtype=torch.int64, device=single.device)
    for stage in range(terms.stages):
        candidates = cost.unsqueeze(2) + single[:, None, stage]  # n beam K
        for earlier in range(stage):
            chosen = paths[:, :, earlier] + earlier * size
            candidates = candidates + terms.pair(chosen, terms.codebook(stage))
        keep = min(beam, paths.shape[1] * size) if stage < terms.stages - 1 else 1
        cost, best = candidates.flatten(1).topk(keep, largest=False)
        parent = (best // size).unsqueeze(2).expand(-1, -1, stage)
        paths = torch.cat([paths.gather(1, parent), (best % size).unsqueeze(2)], dim=2)
    return BeamResult(paths[:, 0], cost[:, 0])


def search_in_any_order(terms: Expansion, single: Float32[Tensor, "n M K"], beam: int) -> BeamResult:
    """Chooses the next codebook as well at each step; keeps the `beam` best distinct sets of codewords."""
    if terms.kernels:
        return BeamResult(*terms.kernels.search(single, terms.pairs(), beam, ordered=False))
    size = terms.size
    cost = single.new_zeros(single.shape[0], 1)
    extra = single.flatten(1).unsqueeze(1)  # n beam MK: cost of adding each codeword to a partial sum
    paths = torch.full((single.shape[0], 1, terms.stages), UNUSED, device=single.device)
    for step in range(terms.stages):
        taken = (paths != UNUSED).repeat_interleave(size, dim=2)
        candidates = (cost.unsqueeze(2) + extra).masked_fill(taken, torch.inf).flatten(1)
        # A set of step + 1 codewords is reached from at most step + 1 parents, so this many hold `beam` distinct
        open_candidates = paths.shape[1] * (terms.stages - step) * size
        cost, best = candidates.topk(min(beam * (step + 1), open_candidates), largest=False)
        parent, codeword = best // extra.shape[2], best % extra.shape[2]
        paths = _take(paths, parent).scatter(2, (codeword // size).unsqueeze(2), (codeword % size).unsqueeze(2))
        cost = cost.masked_fill(_repeats(paths, size), torch.inf)
        keep = min(beam, cost.shape[1]) if step < terms.stages - 1 else 1
        cost, kept = cost.topk(keep, largest=False)
        paths = _take(paths, kept)
        extra = _take(extra, parent.gather(1, kept)) + terms.pair(codeword.gather(1, kept))
    return BeamResult(paths[:, 0].clamp(min=0), cost[:, 0])  # UNUSED is left where x is not a number


def refine(
    terms: Expansion, single: Float32[Tensor, "n M K"], indices: Int64[Tensor, "n M"], rounds: int
) -> Int64[Tensor, "n M"]:
    """Local search: chooses one codeword after another again, given the others, where that lowers the cost."""
    if terms.kernels:
        return terms.kernels.refine(single, terms.pairs(), indices, rounds)
    indices = indices.clone()
    for turn in range(rounds * terms.stages):
        stage = turn % terms.stages
        costs = single[:, stage]
        for other in range(terms.stages):
            if other != stage:
                costs = costs + terms.pair(indices[:, other] + other * terms.size, terms.codebook(stage))
        least, best = costs.min(1)
        before = indices[:, stage]
        lower = least < costs.gather(1, before.unsqueeze(1)).squeeze(1)
        indices[:, stage] = torch.where(lower, best, before)
    return indices


def _take(beams: Tensor, which: Int64[Tensor, "n b"]) -> Tensor:
    """Chooses some of each vector's beams, (n, beam, …) → (n, b, …)."""
    return beams.gather(1, which.unsqueeze(2).expand(-1, -1, beams.shape[2]))


def _repeats(paths: Int64[Tensor, "n b M"], size: int) -> Bool[Tensor, "n b"]:
    """Which paths hold the same codewords as an earlier path."""
    # A path's number has its codewords as digits to base K + 1. Past 64 bits it wraps; a clash drops one candidate
    place = (size + 1) ** torch.arange(paths.shape[2], device=paths.device)
    number = ((paths + 1) * place).sum(2)
    return (number.unsqueeze(2) == number.unsqueeze(1)).tril(-1).any(2)
