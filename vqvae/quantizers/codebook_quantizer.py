"""What quantisers with codebooks share: vectors cut into pieces, each the sum of codewords of one or more codebooks."""

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Real
from torch import Tensor, nn

from vqvae.quantizers.base import Quantizer
from vqvae.quantizers.capabilities import CostAware, TableSearchable
from vqvae.quantizers.chunking import Search, search_in_chunks
from vqvae.quantizers.entropy_constrained import fit_entropy_constrained
from vqvae.quantizers.estimators import Estimator
from vqvae.quantizers.nearest import far_origins, squared_distances

MAX_BITS = 16
MAX_CODEBOOKS = 2**16


class CodebookQuantizer(Quantizer, CostAware, TableSearchable):
    """M codebooks of K codewords; codebook m is for piece m % pieces of the vector, and codewords of a piece add up.

    So product VQ has as many pieces as codebooks, and residual VQ has one piece. A subclass writes `prepare`, the
    search, and `fit_codebooks`.

    Args:
        dim: dimension D of the vectors, a multiple of `pieces`.
        codebooks: number M of codebooks, a multiple of `pieces`, from 1 to 65536.
        codebook_bits: log2 of K; either this or `codebook_size` must be given.
        codebook_size: number K of codewords in each codebook, from 2 to 65536.
        pieces: number of pieces that vectors are cut into.
        channel_dim: axis of the input that holds the vectors, as in `Quantizer`.
    """

    codebooks: Float[nn.Parameter, "M K d"]

    def __init__(
        self,
        dim: int,
        codebooks: int,
        codebook_bits: int | None = None,
        codebook_size: int | None = None,
        pieces: int = 1,
        channel_dim: int = -1,
    ):
        super().__init__(dim, channel_dim)
        size = _codebook_size(codebook_bits, codebook_size)
        if not 1 <= codebooks <= MAX_CODEBOOKS:
            raise ValueError(f"stages is {codebooks}, but must be from 1 to {MAX_CODEBOOKS}")
        if dim % pieces:
            raise ValueError(f"dim={dim} cannot be split into {pieces} equal pieces: choose a multiple of {pieces}")
        self.pieces = pieces
        self.codebooks = nn.Parameter(torch.empty(codebooks, size, dim // pieces))
        # Variance 1 / D; not normal_, which costs a second of imports on the meta device, where model files are loaded
        nn.init.uniform_(self.codebooks, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)

    @abstractmethod
    def prepare(self, codebooks: Float32[Tensor, "m K d"], costs: Float32[Tensor, "m K"] | None) -> Search:
        """The search for the indices of lowest squared distance, plus costs.

        Args:
            codebooks: the codebooks to search in: the first m, for a search of a prefix.
            costs: of each codeword, to be added to the squared distances.
        """

    @abstractmethod
    def fit_codebooks(self, vectors: Float32[Tensor, "n D"], iterations: int) -> Float32[Tensor, "M K d"]:
        """Codebooks fitted to vectors whose mean is zero."""

    @property
    def codebook_size(self) -> int:
        """Number K of codewords in each codebook."""
        return self.codebooks.shape[1]

    @property
    def index_sizes(self) -> tuple[int, ...]:
        return (self.codebook_size,) * self.codebooks.shape[0]

    @property
    def stages(self) -> int:
        """Number M of codebooks."""
        return self.codebooks.shape[0]

    def search(self, x: Float32[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        return self._find(x, self.num_indices, None)

    def search_prefix(self, x: Float32[Tensor, "n D"], number: int) -> Int64[Tensor, "n m"]:
        """Finds the first m = `number` indices, for vectors that are decoded from these alone."""
        return self._find(x, number, None)

    def search_with_costs(self, x: Float32[Tensor, "n D"], costs: Float32[Tensor, "m K"]) -> Int64[Tensor, "n m"]:
        number, size = costs.shape
        if size != self.codebook_size or number not in range(self.pieces, self.num_indices + 1, self.pieces):
            expected = f"{self.num_indices}×{self.codebook_size}: one for each codeword"
            raise ValueError(f"costs are {number}×{size}, but must be {expected}")
        return self._find(x, number, costs)

    def _find(self, x: Tensor, number: int, costs: Tensor | None) -> Tensor:
        codebooks = self.codebooks.detach()[:number].float()
        origins = far_origins(codebooks)
        if _may_read(origins) and not origins.any():
            return search_in_chunks(self.prepare(codebooks, costs), x)
        prepared = self.prepare(codebooks - origins, costs)
        origin = self._sum(list(origins.unbind()))
        return search_in_chunks(Search(lambda chunk: prepared.find(chunk - origin), prepared.floats), x)

    def lookup(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        return self._sum(_select(self.codebooks, indices))

    def _sum(self, codewords: list[Tensor]) -> Float[Tensor, "n D"]:
        """The vectors made of one codeword from each of the first codebooks, (n, d) each."""
        if len(codewords) == self.pieces:
            return torch.cat(codewords, dim=1)
        pieces = torch.stack(codewords).unflatten(0, (-1, self.pieces)).sum(0)
        return pieces.transpose(0, 1).flatten(1)

    @torch.no_grad()
    def candidate_distances(
        self, vectors: Float32[np.ndarray, "n D"], chosen: Int64[np.ndarray, "n m"]
    ) -> Float32[np.ndarray, "n K"]:
        codebooks, place = self.codebooks.detach().float().cpu().numpy(), chosen.shape[1]
        remainder = np.split(vectors, self.pieces, 1)[place % self.pieces]
        for earlier in range(place % self.pieces, place, self.pieces):
            remainder = remainder - codebooks[earlier, chosen[:, earlier]]
        mean = codebooks[place].mean(0)  # ‖x − c‖² = ‖x‖² + ‖c‖² − 2 x·c cancels far from zero
        remainder, codebook = remainder - mean, codebooks[place] - mean
        norms = (remainder**2).sum(1, keepdims=True) + (codebook**2).sum(1)
        return np.maximum(norms - 2 * remainder @ codebook.T, 0)

    @torch.no_grad()
    def distance_tables(self, queries: Float32[Tensor, "n D"]) -> Float32[Tensor, "M K n"]:
        """‖q − Σc‖² = ‖q‖² − 2 Σ q·c + ‖Σc‖² in each piece, with ‖q‖² in the tables of the first stage.

        Where a piece has one codebook only, the tables are its squared distances themselves.
        """
        self._rows(queries)
        codebooks = self.codebooks.float()
        if self.num_indices == self.pieces:
            return squared_distances(queries, codebooks)
        origins = far_origins(codebooks)
        queries = queries - self._sum(list(origins.unbind()))
        pieces = queries.unflatten(1, (self.pieces, -1)).permute(1, 2, 0)  # P d n
        tables = (-2 * (codebooks - origins)).unflatten(0, (-1, self.pieces)) @ pieces
        tables[0] += pieces.square().sum(1, keepdim=True)
        return tables.flatten(0, 1)

    @torch.no_grad()
    def norms(self, indices: Int64[Tensor, "n M"]) -> Float32[Tensor, " n"] | None:
        if self.num_indices == self.pieces:
            return None
        codebooks = self.codebooks.float()
        return self._sum(_select(codebooks - far_origins(codebooks), indices)).square().sum(1)

    @torch.no_grad()
    def fit(self, vectors: Real[Tensor, "..."], iterations: int = 25, lmbda: float = 0.0) -> None:
        """Fits the codebooks, in place, as the method says in `fit_codebooks`.

        Args:
            vectors: of any dtype, shaped as for `encode`.
            iterations: of the method.
            lmbda: the squared distance that a bit is worth. Above 0, as many iterations follow in which indices are
                chosen by distance + λ · bits: entropy-constrained VQ.

        Raises:
            NotFiniteError: a vector holds NaN or infinity.
            ValueError: there are no vectors, or they have another dimension.
        """
        rows = self.rows_to_fit(vectors)
        mean = rows.double().mean(0).float()  # far from zero, float32 loses the distances
        with torch.autocast(rows.device.type, enabled=False):
            rows = rows - mean
            self.codebooks.data.copy_(self.fit_codebooks(rows, iterations))
            if lmbda:
                self.codebooks.data.copy_(self._fit_entropy_constrained(rows, iterations, lmbda))
        self.codebooks.data[: self.pieces] += mean.view(self.pieces, 1, -1)

    def _fit_entropy_constrained(self, rows: Tensor, iterations: int, lmbda: float) -> Float32[Tensor, "M K d"]:
        def choose(codebooks: Tensor, costs: Tensor) -> Tensor:
            return search_in_chunks(self.prepare(codebooks, costs), rows)

        return fit_entropy_constrained(choose, rows, self.codebooks.float(), self.pieces, lmbda, iterations)

    def set_estimator(self, estimator: Estimator) -> None:
        estimator.attach(self.codebooks)
        super().set_estimator(estimator)

    def advance(self, progress: float) -> None:
        self.estimator.advance(progress, self.codebooks)

    def _update(self, indices: Tensor, x: Tensor, values: Tensor) -> None:
        self.estimator.update(self.codebooks, indices, x, values)

    def extra_repr(self) -> str:
        """What `repr` says of the quantiser."""
        axis = "" if self.channel_dim == -1 else f", channel_dim={self.channel_dim}"
        return f"dim={self.dim}, stages={self.stages}, codebook_size={self.codebook_size}{axis}"


def _select(codebooks: Float[Tensor, "M K d"], indices: Int64[Tensor, "n m"]) -> list[Tensor]:
    return [codebook.index_select(0, index) for codebook, index in zip(codebooks, indices.T, strict=False)]


def _may_read(tensor: Tensor) -> bool:
    """Whether values can be read without waiting for another device."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def _codebook_size(bits: int | None, size: int | None) -> int:
    if (bits is None) == (size is None):
        raise ValueError(f"codebook_bits is {bits} and codebook_size is {size}: give one of the two")
    if bits is not None and not 1 <= bits <= MAX_BITS:
        raise ValueError(f"codebook_bits is {bits}, but must be from 1 to {MAX_BITS}: use more stages instead")
    if size is not None and not 2 <= size <= 2**MAX_BITS:
        raise ValueError(f"codebook_size is {size}, but must be from 2 to {2**MAX_BITS}: use more stages instead")
    return 2**bits if size is None else size  # type: ignore[operator]
