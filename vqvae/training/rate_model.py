"""The rate model of variable-rate trainings: a histogram of indices per rate."""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from vqvae.quantizers import CodebookQuantizer, Quantizer, count_usage

PRIOR = 1e-3
"""Count of an unused codeword, in vectors."""

VECTORS = 64
"""Approximate sum of the counts of a histogram."""


class Histograms(nn.Module):
    """Counts of the indices chosen at each of several rates, the levels.

    Args:
        quantizer: the quantiser of the indices.
        levels: number of rates.
        decay: of the histograms, per batch.
    """

    counts: Float32[Tensor, "L M K"]

    def __init__(self, quantizer: Quantizer, levels: int, decay: float):
        super().__init__()
        size = max(quantizer.index_sizes)
        self.decay = decay
        self.register_buffer("counts", torch.full((levels, quantizer.num_indices, size), VECTORS / size))

    @property
    def levels(self) -> int:
        """Number of rates."""
        return len(self.counts)

    def bits(self, level: int) -> Float[Tensor, "M K"]:
        """Bits of each index at a level."""
        counts = self.counts[level] + PRIOR
        return (counts.sum(1, keepdim=True) / counts).log2()

    def information(self, level: int, indices: Int64[Tensor, "n m"]) -> Float[Tensor, ""]:
        """Bits of all these indices at a level; of the first stages, if they are fewer than M."""
        return self.bits(level)[: indices.shape[1]].gather(1, indices.T).sum()

    def count(self, level: int, indices: Int64[Tensor, "n m"]) -> None:
        """Updates the histogram of a level: a moving average."""
        shares = count_usage(indices, self.counts.shape[2]) / len(indices)
        self.counts[level, : len(shares)].lerp_(VECTORS * shares, 1 - self.decay)

    def recount(self, level: int, indices: Int64[Tensor, "n m"]) -> None:
        """Sets the histogram of a level to that of these indices."""
        shares = count_usage(indices, self.counts.shape[2]) / len(indices)
        self.counts[level, : len(shares)] = VECTORS * shares


def spaced_lambdas(first: float, last: float, levels: int) -> Float[Tensor, " L"]:
    """λ of each level, evenly spaced in its logarithm, for pixels in [-1, 1]; `first` and `last` are for 8-bit ones."""
    return first * (last / first) ** (torch.arange(levels) / (levels - 1)) / 127.5**2


class Rates(Histograms):
    """Bits of each index at several weights λ of a bit against squared error; entropy-constrained VQ.

    λ is in squared errors of 8-bit pixels, added up over the three colours, that a bit is worth. The quantiser compares
    vectors instead of pixels, so λ is divided by `scale`, a running estimate of the ratio of squared errors of decoded
    images to those of vectors.

    Args:
        quantizer: the quantiser of the indices.
        finest: λ of the highest rate.
        coarsest: λ of the lowest rate.
        levels: number of rates, evenly spaced in the logarithm of λ.
        memory: decay of the histograms, per batch.
    """

    scale: Float32[Tensor, ""]
    weights: Float32[Tensor, " L"]

    def __init__(self, quantizer: Quantizer, finest: float, coarsest: float, levels: int, memory: float):
        super().__init__(quantizer, levels, memory)
        if not (0 < finest < coarsest and levels > 1):
            raise ValueError(
                f"finest={finest}, coarsest={coarsest}, levels={levels}: must be 0 < finest < coarsest, "
                "and at least two levels"
            )
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("weights", spaced_lambdas(finest, coarsest, levels))

    def costs(self, level: int) -> Float[Tensor, "M K"]:
        """Costs λ · bits of each index at a level, in squared distances of vectors."""
        return self.weight(level) * self.bits(level)

    def weight(self, level: int) -> Float[Tensor, ""]:
        """λ in squared distances of vectors."""
        return self.weights[level] / self.scale

    def measure(
        self, vectors: Float[Tensor, "*v"], quantized: Float[Tensor, "*v"], change: Float[Tensor, "n 3 H W"]
    ) -> None:
        """Updates the scale.

        Args:
            vectors: before quantisation.
            quantized: after it.
            change: the difference that quantisation makes to the decoded images.
        """
        ratio = change.square().sum() / (quantized - vectors).square().sum().clamp(min=1e-12)
        self.scale.lerp_(ratio, 1 - self.decay)

    @torch.no_grad()
    def fit(self, quantizer: CodebookQuantizer, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        """Entropy-constrained Lloyd: choose by distance and bits, count, and move each codeword to the mean of all
        vectors that chose it at any level. Chou, Lookabaugh and Gray, IEEE Trans. ASSP 1989.

        Args:
            quantizer: its codebooks are moved; product VQ.
            vectors: the vectors to fit to.
            iterations: number of rounds.
        """
        parts = vectors.unflatten(1, (quantizer.num_indices, -1)).transpose(0, 1)  # M n d
        for _ in range(iterations):
            sums = torch.zeros_like(quantizer.codebooks)
            for level in range(self.levels):
                indices = quantizer.encode(vectors, self.costs(level))
                self.recount(level, indices)
                for total, part, index in zip(sums, parts, indices.T, strict=True):
                    total.index_add_(0, index, part)
            used = self.counts.sum(0).unsqueeze(2) * len(vectors) / VECTORS
            quantizer.codebooks.copy_(torch.where(used > 0, sums / used.clamp(min=1), quantizer.codebooks))
