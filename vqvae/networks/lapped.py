"""A lapped linear transform, and a convolutional network beside it.

Malvar, "Lapped Transforms for Efficient Transform/Subband Coding", IEEE Trans. ASSP 1990: blocks of twice the stride,
so that neighbours overlap. Initialised with the principal components of blocks, and with a network that gives zero, a
training starts from a working codec and only has to improve on it.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.base import Decoder, Encoder
from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder

WEIGHT_SCALE = 0.1
"""The transforms' weights are stored divided by this, so that an optimiser with steps of one size, such as Adam, moves
them more slowly than those of the networks, by this factor."""


class LappedAnalysis(Encoder):
    """An encoder with a linear transform of overlapping blocks; the arguments are those of `Encoder`."""

    def __init__(self, dim: int, stride: int, reach: int):
        _check_stride(stride)
        super().__init__(dim, stride, max(1, reach))
        self.transform = nn.Conv2d(3, dim, 2 * stride, stride, stride // 2)

    def linear(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        """The transform alone."""
        return self.transform(WEIGHT_SCALE * image)

    @torch.no_grad()
    def initialize_from_basis(self, basis: Float[Tensor, "D 3 s s"], mean: Float[Tensor, "3 s s"]) -> None:
        """Sets the transform to that of single blocks: the inner products of a block, less the mean, with the basis."""
        self.transform.weight.copy_(_in_larger_blocks(basis) / WEIGHT_SCALE)
        self.transform.bias.copy_(-torch.einsum("dcyx,cyx->d", basis, mean))  # type: ignore[union-attr]


class LappedSynthesis(Decoder):
    """A decoder with a linear transform to overlapping blocks; the arguments are those of `Decoder`."""

    def __init__(self, dim: int, stride: int, reach: int):
        _check_stride(stride)
        super().__init__(dim, stride, reach)
        self.transform = nn.ConvTranspose2d(dim, 3, 2 * stride, stride, stride // 2)

    def linear(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        """The transform alone, as a convolution whose outputs are the blocks between the vectors, which is faster."""
        stride = self.stride
        weight = self.transform.weight.unflatten(3, (2, stride)).unflatten(2, (2, stride)).flip(2, 4)  # D c i y j x
        weight = weight.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        assert self.transform.bias is not None
        blocks = F.conv2d(WEIGHT_SCALE * latent, weight, self.transform.bias.repeat_interleave(stride**2), padding=1)
        margin = stride // 2
        return F.pixel_shuffle(blocks, stride)[:, :, margin:-margin, margin:-margin]

    @torch.no_grad()
    def initialize_from_basis(self, basis: Float[Tensor, "D 3 s s"], mean: Float[Tensor, "3 s s"]) -> None:
        """Sets the transform to that of single blocks: the sum of the basis, and the mean's own mean."""
        self.transform.weight.copy_(_in_larger_blocks(basis) / WEIGHT_SCALE)
        self.transform.bias.copy_(mean.mean((1, 2)))  # type: ignore[union-attr]


class LappedEncoder(LappedAnalysis):
    """Image → grid of vectors: a linear transform of overlapping blocks, plus a `ConvEncoder`.

    Args:
        dim: dimension D of the vectors.
        channels, hidden, blocks, patch: of the network, as `ConvEncoder` has them.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 4):
        network = ConvEncoder(dim, channels, hidden, blocks, patch)
        super().__init__(dim, network.stride, network.reach)
        self.network = network
        zero_init(network.layers[-1])

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        return self.linear(image) + self.network(image)


class LappedDecoder(LappedSynthesis):
    """Grid of vectors → image: a linear transform to overlapping blocks, plus a `ConvDecoder`.

    Args:
        dim: dimension D of the vectors.
        channels, hidden, blocks, patch: of the network, as `ConvDecoder` has them.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 4):
        network = ConvDecoder(dim, channels, hidden, blocks, patch)
        super().__init__(dim, network.stride, network.reach)
        self.network = network
        zero_init(network.layers[-2])

    def forward(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        return self.linear(latent) + self.network(latent)


def zero_init(layer: nn.Module) -> None:
    """Sets all parameters to zero, so that a network begins by adding nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _check_stride(stride: int) -> None:
    if stride % 2:
        raise ValueError(f"the stride is {stride}, but must be even for blocks that overlap by half")


def _in_larger_blocks(basis: Float[Tensor, "D 3 s s"]) -> Float[Tensor, "D 3 2*s 2*s"]:
    margin = basis.shape[-1] // 2
    return F.pad(basis, (margin, margin, margin, margin))
