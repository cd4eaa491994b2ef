"""What some quantisers can do beyond the contract of `Quantizer`: small contracts to inherit from as well.

Callers ask by `isinstance(quantizer, PrefixDecodable)` and the like.
"""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float32, Int64
from torch import Tensor


class PrefixDecodable(ABC):
    """Decodes the first indices of each vector to a coarser vector, as residual VQ does."""

    @property
    @abstractmethod
    def prefixes(self) -> tuple[int, ...]:
        """Numbers of leading indices that `decode` accepts, ascending; the s-th ends stage s, the last is M."""

    @abstractmethod
    def search_prefix(self, x: Float32[Tensor, "n D"], number: int) -> Int64[Tensor, "n m"]:
        """Finds the first m = `number` indices, for vectors that are decoded from these alone."""


class CostAware(ABC):
    """Chooses indices by squared distance + costs: entropy-constrained VQ, where the costs are λ · bits.

    Chou, Lookabaugh and Gray, "Entropy-Constrained Vector Quantization", IEEE Trans. ASSP 1989.
    """

    @abstractmethod
    def search_with_costs(self, x: Float32[Tensor, "n D"], costs: Float32[Tensor, "m K"]) -> Int64[Tensor, "n m"]:
        """Finds indices of low squared distance plus costs.

        Args:
            x: the vectors.
            costs: of each index; fewer rows than codebooks choose a prefix, where the method has prefixes.
        """

    @abstractmethod
    def candidate_distances(
        self, vectors: Float32[np.ndarray, "n D"], chosen: Int64[np.ndarray, "n m"]
    ) -> Float32[np.ndarray, "n K"]:
        """Squared distances for each value of the next index, given the indices before it.

        They are those of the elements that the next index contributes to: of one piece with product VQ, of the whole
        vector with residual VQ. So the squared distance of a decoded vector is the sum, over the pieces, of the
        distance chosen last. A rate-distortion search adds λ · bits of an entropy model to them, which may depend on
        the indices chosen before and on those of neighbouring vectors.

        Args:
            vectors: the vectors.
            chosen: their first m indices; the distances are for index m, counted from 0.
        """


class TableSearchable(ABC):
    """Gives distances from queries as sums of table entries, for search without decoding (`vqvae.search`)."""

    @abstractmethod
    def distance_tables(self, queries: Float32[Tensor, "n D"]) -> Float32[Tensor, "M K n"]:
        """Tables with ‖q − v‖² = Σ_m table[m, index_m] + norm, where v are the decoded vectors.

        Args:
            queries: the vectors q.
        """

    @abstractmethod
    def norms(self, indices: Int64[Tensor, "n M"]) -> Float32[Tensor, " n"] | None:
        """What must be added to the sum of table entries for each vector; None where the tables say everything."""
