"""The contract that every quantiser keeps."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vqvae.quantizers.estimators import NSVQ, Estimator


class Quantized(NamedTuple):
    """What a quantiser returns for n vectors of dimension D.

    Attributes:
        values: the vectors to go on with; differentiable while training, exactly the codewords' otherwise.
        indices: the codeword chosen in each of the M codebooks; all that a file has to hold.
        loss: what the estimator adds to the training loss; 0 where it needs none.
    """

    values: Float[Tensor, "n D"]
    indices: Int64[Tensor, "n M"]
    loss: Float[Tensor, ""]


class Quantizer(nn.Module, ABC):
    """Maps each vector to one index per codebook, and indices back to vectors.

    A subclass says how its indices are searched, what they stand for, and how its codebooks are fitted.

    Args:
        dim: dimension D of the vectors.
        stages: number M of codebooks.
        codebook_bits: bits of one index; every codebook has K = 2**codebook_bits codewords.
        codeword_dim: dimension of the codewords, `dim` unless the method splits the vectors.
    """

    codebooks: Float[nn.Parameter, "M K d"]

    has_prefixes: ClassVar[bool] = False
    """Whether the first m stages can be decoded alone."""

    separable: ClassVar[bool] = True
    """Whether squared distances from decoded vectors are sums of one term for each index, so that each index can be
    chosen alone, and by what it costs besides."""

    def __init__(self, dim: int, stages: int, codebook_bits: int, codeword_dim: int | None = None):
        super().__init__()
        for name, value in {"dim": dim, "stages": stages, "codebook_bits": codebook_bits}.items():
            if value < 1:
                raise ValueError(f"{name} is {value}, but must be at least 1")
        if codebook_bits > 16:
            raise ValueError(f"codebook_bits is {codebook_bits}, but at most 16 are possible: use more stages instead")
        self.dim = dim
        shape = (stages, 2**codebook_bits, codeword_dim or dim)
        self.codebooks = nn.Parameter(torch.empty(shape))
        # Variance 1 / D; not normal_, which costs a second of imports on the meta device, where model files are loaded
        nn.init.uniform_(self.codebooks, -((3 / dim) ** 0.5), (3 / dim) ** 0.5)
        self.estimator: Estimator = NSVQ()

    @property
    def stages(self) -> int:
        """Number M of codebooks."""
        return self.codebooks.shape[0]

    @property
    def codebook_size(self) -> int:
        """Number K of codewords in each codebook."""
        return self.codebooks.shape[1]

    @property
    def index_bits(self) -> int:
        """Bits of one index, log2 K."""
        return self.codebook_size.bit_length() - 1

    @property
    def bits_per_vector(self) -> int:
        """Bits of all M indices of one vector: the sum of log2 K."""
        return self.stages * self.index_bits

    @abstractmethod
    def search(self, x: Float[Tensor, "n D"]) -> Int64[Tensor, "n M"]:
        """Finds the indices, in float32, piece by piece (`pieces.py`) so that memory stays bounded.

        Where the method is separable, it takes `costs` as well, as `encode` does.
        """

    @abstractmethod
    def decode(self, indices: Int64[Tensor, "n m"]) -> Float[Tensor, "n D"]:
        """The vectors that indices stand for; differentiable in the codebooks.

        Args:
            indices: one column per codebook. Fewer columns than codebooks decode the first m stages,
                where the method allows that.

        Raises:
            ValueError: the method cannot decode this number of columns.
        """

    @abstractmethod
    def distance_tables(self, queries: Float[Tensor, "n D"]) -> Float[Tensor, "M K n"]:
        """Squared distances as look-up tables: ‖q − v‖² = Σ_m table[m, index_m], and ‖v‖² besides unless `separable`.

        Args:
            queries: the vectors q, in float32.
        """

    @torch.no_grad()
    def parts(self) -> Float[Tensor, "M K D"]:
        """What each index adds to a vector's value, compared with index 0 of its codebook."""
        stages, size, _ = self.codebooks.shape
        indices = torch.zeros(stages, size, stages, dtype=torch.int64, device=self.codebooks.device)
        for stage in range(stages):
            indices[stage, :, stage] = torch.arange(size)
        return (self.decode(indices.flatten(0, 1)) - self.decode(indices[0, :1])).unflatten(0, (stages, size))

    @abstractmethod
    def fit(self, vectors: Float[Tensor, "n D"], iterations: int = 25) -> None:
        """Sets the codebooks by the method's classic training, in place, without gradients."""

    def use(self, estimator: Estimator) -> None:
        """Chooses how gradients pass, and what moves the codebooks, in training from now on."""
        estimator.attach(self.codebooks)
        self.estimator = estimator

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "n D"], costs: Float[Tensor, "M K"] | None = None) -> Int64[Tensor, "n M"]:
        """The indices whose decoded vectors are nearest to x, as far as the method's search finds them.

        Args:
            x: the vectors.
            costs: of each index, to be added to the squared distance: entropy-constrained VQ, where they are its bits,
                weighed. Chou, Lookabaugh and Gray, "Entropy-Constrained Vector Quantization", IEEE Trans. ASSP 1989.

        Raises:
            ValueError: there are costs, but the method is not separable.
        """
        self._check_dim(x)
        if costs is not None and not self.separable:
            raise ValueError(f"{type(self).__name__} cannot choose by costs: choose vq or pvq as the quantiser")
        with torch.autocast(x.device.type, enabled=False):
            return self.search(x.float()) if costs is None else self.search(x.float(), costs)  # type: ignore[call-arg]

    def forward(self, x: Float[Tensor, "n D"], costs: Float[Tensor, "M K"] | None = None) -> Quantized:
        """Quantises x, through the estimator while training and hard when not; always in float32.

        Args:
            x: the vectors.
            costs: of each index, as `encode` takes them.
        """
        indices = self.encode(x.detach(), costs)
        with torch.autocast(x.device.type, enabled=False):
            quantized = self.decode(indices)
            if not self.training:
                return Quantized(quantized, indices, quantized.new_zeros(()))
            values, loss = self.estimator(x.float(), quantized)
            self.estimator.update(self.codebooks, indices, x, quantized)
            return Quantized(values, indices, loss)

    def _check_dim(self, x: Tensor) -> None:
        if x.shape[-1] != self.dim:
            raise ValueError(f"vectors have dimension {x.shape[-1]}, but this {type(self).__name__} has dim={self.dim}")

    def _check_stages(self, indices: Tensor) -> None:
        given, needed = indices.shape[-1], self.stages
        if not (1 if self.has_prefixes else needed) <= given <= needed:
            stages = f"from 1 to {needed} stages" if self.has_prefixes else f"only all {needed} at once"
            raise ValueError(f"indices have {given} columns, but {type(self).__name__} decodes {stages}")
