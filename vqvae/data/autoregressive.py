"""Gaussian vectors whose components depend on each other: toy data with a known bound."""

import torch
from jaxtyping import Float
from torch import Tensor

from vqvae.data.vectors import VectorDataModule, VectorsInMemory
from vqvae.errors import DataError


class Autoregressive(VectorDataModule):
    """Stretches of a first-order autoregressive process of variance 1: x[t] = ρ x[t-1] + √(1 - ρ²) e[t].

    The components are Gaussian; those t apart have correlation ρ^t. With ρ = 0 all are independent.

    Args:
        dim: components D of a vector.
        correlation: ρ, of neighbouring components, above -1 and below 1.
        train: number of vectors to train with.
        test: number of others to measure on.
        batch_size: vectors per batch.
        seed: of the vectors, which are the same for every training.
    """

    def __init__(self, dim: int, correlation: float, train: int, test: int, batch_size: int, seed: int = 0):
        super().__init__(batch_size)
        if not -1 < correlation < 1:
            raise DataError(f"data.correlation is {correlation}, but must be above -1 and below 1")
        self.dim = dim
        self.correlation = correlation
        self.numbers = {"train": train, "val": test, "test": test}
        self.seed = seed

    def setup(self, stage: str | None = None) -> None:
        draws = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(sum(self.numbers.values()), self.dim, generator=draws)
        root = torch.linalg.cholesky(self.covariance()).float()
        train, val, test = (drawn @ root.T).split(list(self.numbers.values()))
        self.train_set, self.val_set, self.test_set = (VectorsInMemory(some) for some in (train, val, test))

    def covariance(self) -> Float[Tensor, "D D"]:
        """The covariance of the components, ρ^|i - j|."""
        places = torch.arange(self.dim)
        return torch.tensor(self.correlation, dtype=torch.float64) ** (places[:, None] - places).abs()

    def bound(self, bits: int) -> float:
        """The rate-distortion function, by reverse water-filling (Cover and Thomas, 2006, theorem 10.3.3).

        Each principal component has an error of `level`, or of its variance where that is lower; the level is the one
        at which all together take `bits`.
        """
        variances = torch.linalg.eigvalsh(self.covariance())
        # So many of the largest variances as are above the level: then Σ ½ log2 (variance / level) = bits over these
        logs = variances.flip(0).log2()
        for number in range(self.dim, 0, -1):
            level = 2 ** ((logs[:number].sum() - 2 * bits) / number)
            if level <= variances[-number]:
                return float(variances.clamp(max=float(level)).sum())
        return float(variances.sum())
