"""What FSQ and LFQ share: vectors are projected to a few latent numbers, and each of these is rounded."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, Real
from torch import Tensor, nn

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.estimators import Estimate

RIDGE = 1e-6
"""Added to the correlations of codes, in units of vectors: codes that never vary have no influence."""

LEAST_SPREAD = 1e-3
"""Of a latent number for the largest: components below are rounding errors, which must not be amplified."""


class ProjectedQuantizer(Quantizer):
    """Projects vectors to `latent_dim` numbers, rounds these to codes, and projects the codes back.

    The codes are fixed, so nothing is searched, and both projections are trained. The estimator is applied to the
    latent numbers. A subclass writes `index_sizes`, `bound`, `round` and `codes`.

    Args:
        dim: dimension D of the vectors.
        latent_dim: number d of latent numbers, from 1 to D.
        channel_dim: axis of the input that holds the vectors, as in `Quantizer`.
    """

    def __init__(self, dim: int, latent_dim: int, channel_dim: int = -1):
        super().__init__(dim, channel_dim)
        if not 1 <= latent_dim <= dim:
            raise ValueError(f"{type(self).__name__} has {latent_dim} latent numbers, but dim={dim} allows 1 to {dim}")
        self.project_in = nn.Linear(dim, latent_dim)
        self.project_out = nn.Linear(latent_dim, dim)

    def bound(self, latent: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The latent numbers in the range of the codes; differentiable. Here, they are left as they are."""
        return latent

    @abstractmethod
    def round(self, bounded: Float[Tensor, "n d"]) -> Int64[Tensor, "n M"]:
        """The indices of the codes nearest to bounded latent numbers."""

    @abstractmethod
    def codes(self, indices: Int64[Tensor, "n M"]) -> Float[Tensor, "n d"]:
        """The codes that indices stand for, in the dtype of the projections."""

    def search(self, x: Float32[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        weight, bias = self.project_in.weight.float(), self.project_in.bias.float()
        return self.round(self.bound(F.linear(x, weight, bias)))

    def lookup(self, indices: Int64[Tensor, "n M"]) -> Float[Tensor, "n D"]:
        return self.project_out(self.codes(indices))

    def estimate(
        self, x: Float[Tensor, "n D"], indices: Int64[Tensor, "n M"], values: Float[Tensor, "n D"]
    ) -> Estimate:
        estimate = self.estimator(self.bound(self.project_in(x)), self.codes(indices))
        return Estimate(self.project_out(estimate.values), estimate.loss)

    @torch.no_grad()
    def fit(self, vectors: Real[Tensor, "..."], iterations: int = 25) -> None:
        """Fits the projections, in place: principal components of unit variance, and back by least squares.

        Args:
            vectors: of any dtype, shaped as for `encode`.
            iterations: of no effect, since the solution is in closed form.

        Raises:
            NotFiniteError: a vector holds NaN or infinity.
            ValueError: there are no vectors, or they have another dimension.
        """
        rows = self.rows_to_fit(vectors).double()
        mean = rows.mean(0)
        variances, components = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        spread = variances[-self.project_in.out_features :].flip(0).clamp(min=0).sqrt()
        spread = spread.clamp(min=float(LEAST_SPREAD * spread.max())) + torch.finfo(torch.float32).tiny
        project_in = components.T.flip(0)[: len(spread)] / spread.unsqueeze(1)
        self.project_in.weight.copy_(project_in)
        self.project_in.bias.copy_(-project_in @ mean)
        codes = self.codes(self.search(rows.float())).double()
        middle = codes.mean(0)
        correlations = (codes - middle).T @ (codes - middle) + RIDGE * torch.eye(len(spread)).to(codes)
        project_out = torch.linalg.solve(correlations, (codes - middle).T @ (rows - mean)).T
        self.project_out.weight.copy_(project_out)
        self.project_out.bias.copy_(mean - project_out @ middle)
