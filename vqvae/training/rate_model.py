"""What indices cost while a network is trained: a histogram for each of several rates."""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from vqvae.quantizers import CodebookQuantizer, Quantizer, count_usage

RARE = 1e-3
"""What a codeword that is never chosen is counted as, in vectors."""

VECTORS = 64
"""What all counts of a histogram sum up to, about."""


class Rates(nn.Module):
    """Bits of each index at several weights λ of a bit against squared error; entropy-constrained VQ.

    λ is in squared errors of 8-bit pixels, added up over the three colours, that a bit is worth. The quantiser compares
    vectors instead of pixels, so λ is divided by `scale`: how much larger squared errors become in the decoder, as it
    was lately.

    Args:
        quantizer: whose indices are counted.
        finest: λ of the highest rate.
        coarsest: λ of the lowest rate.
        levels: how many rates there are, evenly spaced in the logarithm of λ.
        memory: the share of a histogram that stays at each batch.
    """

    counts: Float32[Tensor, "L M K"]
    scale: Float32[Tensor, ""]
    weights: Float32[Tensor, " L"]

    def __init__(self, quantizer: Quantizer, finest: float, coarsest: float, levels: int, memory: float):
        super().__init__()
        if not (0 < finest < coarsest and levels > 1):
            raise ValueError(
                f"finest={finest}, coarsest={coarsest}, levels={levels}: must be 0 < finest < coarsest, "
                "and at least two levels"
            )
        shape = (levels, quantizer.num_indices, max(quantizer.index_sizes))
        self.memory = memory
        self.register_buffer("counts", torch.full(shape, VECTORS / max(quantizer.index_sizes)))
        self.register_buffer("scale", torch.ones(()))
        steps = torch.arange(levels) / (levels - 1)
        self.register_buffer("weights", finest * (coarsest / finest) ** steps / 127.5**2)

    @property
    def levels(self) -> int:
        """Number of rates."""
        return len(self.weights)

    def bits(self, level: int) -> Float[Tensor, "M K"]:
        """Bits of each index at a level, 0 being the highest rate."""
        counts = self.counts[level] + RARE
        return (counts.sum(1, keepdim=True) / counts).log2()

    def costs(self, level: int) -> Float[Tensor, "M K"]:
        """The same as squared distances of vectors."""
        return self.weight(level) * self.bits(level)

    def weight(self, level: int) -> Float[Tensor, ""]:
        """λ in squared distances of vectors."""
        return self.weights[level] / self.scale

    def count(self, level: int, indices: Int64[Tensor, "n M"]) -> None:
        """Goes on with the histogram of a level: a moving average."""
        shares = count_usage(indices, self.counts.shape[2]) / len(indices)
        self.counts[level].lerp_(VECTORS * shares, 1 - self.memory)

    def measure(
        self, vectors: Float[Tensor, "*v"], quantized: Float[Tensor, "*v"], change: Float[Tensor, "n 3 H W"]
    ) -> None:
        """Goes on with the scale.

        Args:
            vectors: before quantisation.
            quantized: after it.
            change: what that changed in the decoded images.
        """
        ratio = change.square().sum() / (quantized - vectors).square().sum().clamp(min=1e-12)
        self.scale.lerp_(ratio, 1 - self.memory)

    @torch.no_grad()
    def fit(self, quantizer: CodebookQuantizer, vectors: Float[Tensor, "n D"], iterations: int) -> None:
        """Entropy-constrained Lloyd: choose by distance and bits, count, and move each codeword to the mean of all
        vectors that chose it at any level. Chou, Lookabaugh and Gray, IEEE Trans. ASSP 1989.

        Args:
            quantizer: its codebooks are moved; product VQ.
            vectors: to fit to.
            iterations: how often.
        """
        parts = vectors.unflatten(1, (quantizer.num_indices, -1)).transpose(0, 1)  # M n d
        for _ in range(iterations):
            sums = torch.zeros_like(quantizer.codebooks)
            for level in range(self.levels):
                indices = quantizer.encode(vectors, self.costs(level))
                shares = count_usage(indices, self.counts.shape[2]) / len(indices)
                self.counts[level] = VECTORS * shares
                for total, part, index in zip(sums, parts, indices.T, strict=True):
                    total.index_add_(0, index, part)
            used = self.counts.sum(0).unsqueeze(2) * len(vectors) / VECTORS
            quantizer.codebooks.copy_(torch.where(used > 0, sums / used.clamp(min=1), quantizer.codebooks))
