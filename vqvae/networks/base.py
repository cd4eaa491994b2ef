"""The contracts of encoders and decoders."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn


class Network(nn.Module, ABC):
    """What encoders and decoders have in common.

    Args:
        dim: dimension D of the vectors.
        stride: pixels per vector, in each direction.
        reach: how far away, in vectors, what an output depends on may be. Large images are processed in tiles with this
            margin.
    """

    takes_rate: ClassVar[bool] = False
    """Whether `forward` has a second argument, `rate`: from 0 (coarsest) to 1 (finest), quality / 100."""

    alignment: ClassVar[int] = 1
    """Tiles of an image begin at multiples of this number of vectors."""

    def __init__(self, dim: int, stride: int, reach: int):
        super().__init__()
        for name, value, least in (("dim", dim, 1), ("stride", stride, 1), ("reach", reach, 0)):
            if value < least:
                raise ValueError(f"{name} is {value}, but must be at least {least}")
        self.dim = dim
        self.stride = stride
        self.reach = reach


class Encoder(Network):
    """Image → grid of vectors; the arguments are those of `Network`."""

    @abstractmethod
    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        """Encodes images in [-1, 1] whose height and width are multiples of the stride."""


class Decoder(Network):
    """Grid of vectors → image; the arguments are those of `Network`."""

    @abstractmethod
    def forward(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        """Decodes to images around [-1, 1], not clipped."""
