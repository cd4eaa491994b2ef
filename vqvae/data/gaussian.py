"""Gaussian vectors: toy data with a known rate-distortion bound."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from vqvae.data.vectors import VectorDataModule, VectorsInMemory
from vqvae.errors import DataError


class Gaussian(VectorDataModule):
    """Gaussian vectors of mean 0, with components of variance 1 on average.

    Args:
        dim: components D of a vector.
        train: number of vectors to train with.
        test: number of vectors for validation and for test.
        batch_size: vectors per batch.
        seed: of the vectors, independent of the training's seed.
    """

    def __init__(self, dim: int, train: int, test: int, batch_size: int, seed: int = 0):
        super().__init__(batch_size)
        self.dim = dim
        self.numbers = [train, test, test]
        self.seed = seed

    @abstractmethod
    def covariance(self) -> Float[Tensor, "D D"]:
        """The covariance of the components, in float64."""

    def setup(self, stage: str | None = None) -> None:
        variances, directions = torch.linalg.eigh(self.covariance())
        mixing = (directions * variances.clamp(min=0).sqrt()).T.float()
        draws = torch.Generator().manual_seed(self.seed)
        vectors = torch.randn(sum(self.numbers), self.dim, generator=draws) @ mixing
        self.train_set, self.val_set, self.test_set = map(VectorsInMemory, vectors.split(self.numbers))

    def bound(self, bits: int) -> float:
        """The rate-distortion function, by reverse water-filling (Cover and Thomas, 2006, theorem 10.3.3).

        Each principal component has an error of `level`, or of its variance if that is lower; at this level the
        components take `bits` in total.
        """
        variances = torch.linalg.eigvalsh(self.covariance()).flip(0)
        variances = variances[variances > 1e-9 * variances[0]]
        for number in range(len(variances), 0, -1):  # of components above the level: Σ ½ log2 (variance / level) = bits
            level = 2 ** ((variances[:number].log2().sum() - 2 * bits) / number)
            if level <= variances[number - 1]:
                break
        return float(variances.clamp(max=float(level)).sum())


class Autoregressive(Gaussian):
    """Segments of a first-order autoregressive process: x[t] = ρ x[t-1] + √(1 - ρ²) e[t].

    Args:
        dim: components D of a vector.
        correlation: ρ of neighbouring components, between -1 and 1; 0 for independent components.
        train: number of vectors to train with.
        test: number of vectors for validation and for test.
        batch_size: vectors per batch.
        seed: of the vectors.
    """

    def __init__(self, dim: int, correlation: float, train: int, test: int, batch_size: int, seed: int = 0):
        super().__init__(dim, train, test, batch_size, seed)
        if not -1 < correlation < 1:
            raise DataError(f"data.correlation is {correlation}, but must be above -1 and below 1")
        self.correlation = correlation

    def covariance(self) -> Float[Tensor, "D D"]:
        places = torch.arange(self.dim)
        return torch.tensor(self.correlation, dtype=torch.float64) ** (places[:, None] - places).abs()


class LowRank(Gaussian):
    """Vectors of a random subspace: independent components of equal variance, rotated into D dimensions.

    Args:
        dim: components D of a vector.
        rank: dimensions of the subspace.
        train: number of vectors to train with.
        test: number of vectors for validation and for test.
        batch_size: vectors per batch.
        seed: of the vectors and the subspace.
    """

    def __init__(self, dim: int, rank: int, train: int, test: int, batch_size: int, seed: int = 0):
        super().__init__(dim, train, test, batch_size, seed)
        if not 1 <= rank <= dim:
            raise DataError(f"data.rank is {rank}, but must be from 1 to {dim}, the dimension of the vectors")
        self.rank = rank

    def covariance(self) -> Float[Tensor, "D D"]:
        draws = torch.Generator().manual_seed(self.seed)
        directions = torch.linalg.qr(torch.randn(self.dim, self.rank, generator=draws, dtype=torch.float64)).Q
        return directions @ directions.T * (self.dim / self.rank)
