"""Residual VQ."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

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

    def __init__(self, dim: int, stages: int, codebook_bits: int, beam: int = 1):
        super().__init__(dim, stages, codebook_bits, beam)

    def search(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        single, pair = self.expand(x)
        size = self.codebook_size
        pair = pair.view(self.stages, size, self.stages, size)
        cost = single.new_zeros(len(x), 1)
        paths = torch.empty(len(x), 1, 0, dtype=torch.int64, device=x.device)
        for stage in range(self.stages):
            candidates = cost.unsqueeze(2) + single[:, None, stage]  # n beam K
            for earlier in range(stage):
                candidates = candidates + pair[earlier, :, stage][paths[:, :, earlier]]
            keep = min(self.beam, paths.shape[1] * size) if stage < self.stages - 1 else 1
            cost, best = candidates.flatten(1).topk(keep, largest=False)
            parent = (best // size).unsqueeze(2).expand(-1, -1, stage)
            paths = torch.cat([paths.gather(1, parent), (best % size).unsqueeze(2)], dim=2)
        return paths[:, 0]

    def search_workspace(self) -> int:
        return (self.stages + 2 * self.beam) * self.codebook_size
