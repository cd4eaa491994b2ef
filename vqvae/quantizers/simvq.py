"""VQ whose codewords are a linear map of fixed ones."""

import torch
from jaxtyping import Float, Float32, Int64, Real
from torch import Tensor, nn

from vqvae.errors import UsageError
from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.estimators import Estimator, MovingAverage
from vqvae.quantizers.kmeans import kmeans
from vqvae.quantizers.nearest import find_nearest


class SimVQ(Quantizer):
    """One codebook C W: C is fixed, and the matrix W is trained, so that every step moves all codewords.

    Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer", 2024, section 4.
    There C is drawn at random; `fit` takes codewords of k-means in its place.

    Args:
        dim: dimension D of the vectors.
        codebook_bits: log2 of the number K of codewords, from 1 to 16.
        channel_dim: axis of the input that holds the vectors: -1, or 1 for feature maps (b, D, h, w).
    """

    def __init__(self, dim: int, codebook_bits: int, channel_dim: int = -1):
        super().__init__(dim, channel_dim)
        if not 1 <= codebook_bits <= 16:
            raise ValueError(f"codebook_bits is {codebook_bits}, but must be from 1 to 16")
        self.fixed = nn.Parameter(torch.empty(2**codebook_bits, dim), requires_grad=False)
        nn.init.uniform_(self.fixed, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)  # variance 1 / D
        self.matrix = nn.Parameter(torch.eye(dim))

    @property
    def index_sizes(self) -> tuple[int, ...]:
        return (len(self.fixed),)

    @property
    def codewords(self) -> Float[Tensor, "K D"]:
        """All codewords; differentiable in the matrix."""
        return self.fixed @ self.matrix

    def search(self, x: Float32[Tensor, "n D"]) -> Int64[Tensor, "n 1"]:
        codewords = self.fixed.float() @ self.matrix.detach().float()
        mean = codewords.mean(0)  # far from zero, float32 loses the distances
        return find_nearest(x - mean, codewords - mean).unsqueeze(1)

    def lookup(self, indices: Int64[Tensor, "n 1"]) -> Float[Tensor, "n D"]:
        return self.fixed[indices[:, 0]] @ self.matrix

    @torch.no_grad()
    def fit(self, vectors: Real[Tensor, "..."], iterations: int = 25) -> None:
        """Sets the codewords to those of k-means, in place, with the identity for W.

        Args:
            vectors: of any dtype, shaped as for `encode`.
            iterations: of k-means.

        Raises:
            NotFiniteError: a vector holds NaN or infinity.
            ValueError: there are no vectors, or they have another dimension.
        """
        self.fixed.copy_(kmeans(self.rows_to_fit(vectors), len(self.fixed), iterations))
        self.matrix.copy_(torch.eye(self.dim))

    def set_estimator(self, estimator: Estimator) -> None:
        if isinstance(estimator, MovingAverage):
            raise UsageError("MovingAverage moves single codewords, but SimVQ trains a matrix: set estimator=ste")
        super().set_estimator(estimator)
