"""The contract that every quantiser keeps; `capabilities.py` has what only some can do."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int64, Real
from torch import Tensor, nn

from vqvae.errors import UsageError
from vqvae.quantizers.capabilities import CostAware, PrefixDecodable
from vqvae.quantizers.estimators import NSVQ, Estimate, Estimator
from vqvae.quantizers.inputs import check_finite, flatten
from vqvae.quantizers.usage import count_usage, perplexity

PADDING = -1
"""The index of positions that a mask leaves out."""


class Quantized(NamedTuple):
    """Quantised vectors of any leading shape.

    Attributes:
        values: shaped as the input; differentiable while training, exactly the decoded indices otherwise.
        indices: the codeword chosen in each of the M codebooks; all that a file has to hold.
        loss: what the estimator adds to the training loss; 0 where it adds nothing.
    """

    values: Float[Tensor, "..."]
    indices: Int64[Tensor, "*batch M"]
    loss: Float[Tensor, ""]


class Quantizer(nn.Module, ABC):
    """Maps each vector to M indices, and indices back to vectors.

    A subclass writes `index_sizes`, `search`, `lookup` and `fit`, for rows of vectors; leading shapes, dtypes, checks,
    masks and estimators are handled here. Vectors of any dtype are accepted and searched in float32, also under mixed
    precision; values have the dtype of the quantiser's parameters.

    Args:
        dim: dimension D of the vectors.
        channel_dim: the axis of the input that holds the D elements of each vector: -1 for (..., D), 1 for feature
            maps (b, D, h, w). The M indices are always the last axis: (b, h, w, M).
    """

    def __init__(self, dim: int, channel_dim: int = -1):
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim is {dim}, but must be at least 1")
        self.dim = dim
        self.channel_dim = channel_dim
        self.estimator: Estimator = NSVQ()

    @property
    @abstractmethod
    def index_sizes(self) -> tuple[int, ...]:
        """Number of values K of each of the M indices, at least 2."""

    @abstractmethod
    def search(self, x: Float32[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        """Finds the indices of finite vectors, in chunks (`chunking.py`), so that memory stays bounded."""

    @abstractmethod
    def lookup(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        """Returns the vectors that indices stand for; differentiable in the parameters."""

    @abstractmethod
    def fit(self, vectors: Real[Tensor, "..."], iterations: int = 25) -> None:
        """Fits the parameters to vectors without gradients, in place, for instance by k-means."""

    @property
    def num_indices(self) -> int:
        """Number M of indices of a vector."""
        return len(self.index_sizes)

    @property
    def index_bits(self) -> int:
        """Bits of one index at fixed width: log2 of the largest K, rounded up."""
        return (max(self.index_sizes) - 1).bit_length()

    @property
    def bits_per_vector(self) -> int:
        """Bits of all M indices of one vector at fixed width."""
        return sum((size - 1).bit_length() for size in self.index_sizes)

    def set_estimator(self, estimator: Estimator) -> None:
        """Sets how gradients pass the quantiser, and how codebooks are updated, in training from now on."""
        self.estimator = estimator

    def advance(self, progress: float) -> None:
        """Tells the estimator the fraction of the training that is done; called before each training batch."""
        self.estimator.advance(progress, None)

    @torch.no_grad()
    def encode(
        self, x: Real[Tensor, "..."], costs: Float[Tensor, "M K"] | None = None, stages: int | None = None
    ) -> Int64[Tensor, "*batch m"]:
        """The indices whose decoded vectors are nearest to x, as far as the method's search finds them.

        Args:
            x: vectors (..., D), or as `channel_dim` says; of any dtype.
            costs: of each index, to be added to the squared distance; for `CostAware` quantisers.
            stages: choose the indices of the first stages only; for `PrefixDecodable` quantisers.

        Raises:
            NotFiniteError: a vector holds NaN or infinity. (Not checked in training on a GPU, where it would wait.)
            ValueError: x has another dimension, or the quantiser does not have the capability.
            UsageError: within torch.jit.trace, which would record the indices as constants.
        """
        rows = self._rows(x)
        return self._restore(x, self._search(rows, costs, stages))

    def decode(
        self, indices: Int64[Tensor, "*batch m"], mask: Bool[Tensor, "*batch"] | None = None
    ) -> Float[Tensor, "..."]:
        """The vectors that indices stand for; differentiable in the codebooks.

        Args:
            indices: as `encode` returns them; with fewer columns than M decode a prefix, where the method has prefixes.
            mask: False where indices are padding; vectors are zeros there.

        Raises:
            ValueError: the method cannot decode this number of columns.
        """
        allowed = self.prefixes if isinstance(self, PrefixDecodable) else (self.num_indices,)
        if indices.shape[-1] not in allowed:
            numbers = ", ".join(map(str, allowed))
            raise ValueError(f"indices have {indices.shape[-1]} columns, but {type(self).__name__} decodes: {numbers}")
        rows = indices.reshape(-1, indices.shape[-1])
        values = self.lookup(rows) if mask is None else _scatter(self.lookup(rows[mask.flatten()]), mask.flatten(), 0)
        return values.view(*indices.shape[:-1], self.dim).movedim(-1, self.channel_dim)

    def forward(
        self,
        x: Real[Tensor, "..."],
        costs: Float[Tensor, "M K"] | None = None,
        stages: int | None = None,
        mask: Bool[Tensor, "*batch"] | None = None,
    ) -> Quantized:
        """Quantises x: through the estimator while training, exactly otherwise.

        Args:
            x: vectors (..., D), or as `channel_dim` says; of any dtype.
            costs: as in `encode`.
            stages: as in `encode`.
            mask: False where x is padding: values are 0 there and indices -1, and they do not count for the loss.
        """
        rows = self._rows(x)
        quantized = self._quantize(rows if mask is None else rows[mask.flatten()], costs, stages)
        values, indices = quantized.values, quantized.indices
        if mask is not None:
            values, indices = _scatter(values, mask.flatten(), 0), _scatter(indices, mask.flatten(), PADDING)
        values = values.view(x.movedim(self.channel_dim, -1).shape).movedim(-1, self.channel_dim)
        return Quantized(values, self._restore(x, indices), quantized.loss)

    def usage(self, indices: Int64[Tensor, "*batch M"]) -> Float[Tensor, " M"]:
        """The share of each codebook's codewords among these indices, 0 to 1."""
        sizes = torch.tensor(self.index_sizes, device=indices.device)
        return (count_usage(indices, max(self.index_sizes)) > 0).sum(1) / sizes[: indices.shape[-1]]

    def perplexity(self, indices: Int64[Tensor, "*batch M"]) -> Float[Tensor, " M"]:
        """2 to the power of the entropy of these indices, for each codebook: from 1 to K."""
        return perplexity(count_usage(indices, max(self.index_sizes)))

    @torch.no_grad()
    def contributions(self) -> Float[Tensor, "M K D"]:
        """What each index adds to a vector's value, compared with index 0 of its codebook."""
        size = max(self.index_sizes)
        indices = torch.zeros(self.num_indices, size, self.num_indices, dtype=torch.int64, device=self.device)
        for place, values in enumerate(self.index_sizes):
            indices[place, :, place] = torch.arange(size).clamp(max=values - 1)
        return (self.lookup(indices.flatten(0, 1)) - self.lookup(indices[0, :1])).unflatten(0, (-1, size))

    @property
    def device(self) -> torch.device:
        """Where the parameters or buffers are; a CPU where there are none."""
        return next((tensor.device for tensor in (*self.parameters(), *self.buffers())), torch.device("cpu"))

    def extra_repr(self) -> str:
        """What `repr` says of the quantiser."""
        axis = "" if self.channel_dim == -1 else f", channel_dim={self.channel_dim}"
        return f"dim={self.dim}, index_sizes={self.index_sizes}{axis}"

    def _rows(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            raise UsageError(
                f"torch.jit.trace would record the indices of {type(self).__name__} as constants: use torch.export"
            )
        return flatten(x, self.dim, self.channel_dim, type(self).__name__)

    def rows_to_fit(self, vectors: Real[Tensor, "..."]) -> Float32[Tensor, "n D"]:
        """The vectors that `fit` is given, as rows.

        Raises:
            NotFiniteError: a vector holds NaN or infinity.
            ValueError: there are no vectors, or they have another dimension.
        """
        rows = self._rows(vectors).detach().float()
        if not len(rows):
            raise ValueError("there are no vectors to fit to: give at least one")
        check_finite(rows)
        return rows

    def _restore(self, x: Tensor, indices: Tensor) -> Tensor:
        """Indices in the leading shape of x."""
        return indices.view(*x.movedim(self.channel_dim, -1).shape[:-1], indices.shape[-1])

    def _quantize(self, rows: Tensor, costs: Tensor | None, stages: int | None) -> Quantized:
        indices = self._search(rows.detach(), costs, stages)
        with torch.autocast(rows.device.type, enabled=False):
            values = self.lookup(indices)
            if not self.training:
                return Quantized(values, indices, values.new_zeros(()))
            x = rows.to(values.dtype)
            estimate = self.estimate(x, indices, values)
            self._update(indices, x, values)
            return Quantized(estimate.values, indices, estimate.loss)

    def estimate(
        self, x: Float[Tensor, "n D"], indices: Int64[Tensor, "n m"], values: Float[Tensor, "n D"]
    ) -> Estimate:
        """What training goes on with, by the estimator; here, of the vectors themselves.

        Args:
            x: the vectors, with gradients to the encoder.
            indices: those chosen.
            values: what they stand for, with gradients to the parameters.
        """
        return self.estimator(x, values)

    def _update(self, indices: Tensor, x: Tensor, values: Tensor) -> None:
        """Updates parameters after a training batch, where the estimator does so without gradients."""

    @torch.no_grad()
    def _search(self, rows: Tensor, costs: Tensor | None, stages: int | None) -> Tensor:
        rows = rows.float()
        if not torch.compiler.is_compiling() and (rows.device.type == "cpu" or not self.training):
            check_finite(rows)
        with torch.autocast(rows.device.type, enabled=False):
            number = self._prefix(stages)
            if costs is not None:
                return self._cost_aware().search_with_costs(rows, costs[:number].float())
            if isinstance(self, PrefixDecodable) and number < self.num_indices:
                return self.search_prefix(rows, number)
            return self.search(rows)

    def _cost_aware(self) -> CostAware:
        if not isinstance(self, CostAware):
            raise ValueError(f"{type(self).__name__} cannot choose indices by costs: choose another quantiser")
        return self

    def _prefix(self, stages: int | None) -> int:
        """Number of indices of the first stages."""
        if stages is None:
            return self.num_indices
        if not isinstance(self, PrefixDecodable):
            raise ValueError(f"{type(self).__name__} cannot be decoded from its first stages: leave stages out")
        if not 1 <= stages <= len(self.prefixes):
            raise ValueError(f"stages is {stages}, but must be from 1 to {len(self.prefixes)}")
        return self.prefixes[stages - 1]


def _scatter(rows: Tensor, mask: Bool[Tensor, " n"], padding: int) -> Tensor:
    """Rows put where the mask is True, between rows of padding."""
    return rows.new_full((len(mask), rows.shape[1]), padding).masked_scatter(mask.unsqueeze(1), rows)
