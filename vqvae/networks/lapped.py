"""A lapped linear transform, and a convolutional network beside it.

Malvar, "Lapped Transforms for Efficient Transform/Subband Coding", IEEE Trans. ASSP 1990: blocks of twice the stride,
so that neighbours overlap. Begun as the principal components of blocks, with a network that begins as zero, training
starts from a codec that works and has only to improve on it.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder

SLOWER = 0.1
"""The transforms' weights are kept divided by this: an optimiser such as Adam, with steps of one size, moves them so
much more slowly than those of the networks."""


class LappedEncoder(nn.Module):
    """Image → grid of vectors: a linear transform of overlapping blocks, plus what a `ConvEncoder` says.

    Args:
        dim: dimension D of the vectors.
        channels, hidden, blocks, patch: of the network, as `ConvEncoder` has them.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 4):
        super().__init__()
        self.network = ConvEncoder(dim, channels, hidden, blocks, patch)
        self.stride = self.network.stride
        """Pixels per vector, in each direction."""
        self.reach = max(1, self.network.reach)
        """How far away pixels are, in vectors, that a vector depends on."""
        self.transform = nn.Conv2d(3, dim, 2 * self.stride, self.stride, self.stride // 2)
        _silence(self.network.layers[-1])

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        """Encodes images in [-1, 1] whose height and width are multiples of the stride."""
        return self.transform(SLOWER * image) + self.network(image)

    @torch.no_grad()
    def start(self, basis: Float[Tensor, "D 3 s s"], mean: Float[Tensor, "3 s s"]) -> None:
        """Sets the transform to that of single blocks: the inner products of a block, less the mean, with the basis."""
        self.transform.weight.copy_(_in_larger_blocks(basis) / SLOWER)
        self.transform.bias.copy_(-torch.einsum("dcyx,cyx->d", basis, mean))  # type: ignore[union-attr]


class LappedDecoder(nn.Module):
    """Grid of vectors → image: a linear transform to overlapping blocks, plus what a `ConvDecoder` says.

    Args:
        dim: dimension D of the vectors.
        channels, hidden, blocks, patch: of the network, as `ConvDecoder` has them.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 4):
        super().__init__()
        self.network = ConvDecoder(dim, channels, hidden, blocks, patch)
        self.reach = self.network.reach
        """How far away vectors are that a pixel depends on."""
        stride = patch * 2 ** (len(channels) - 1)
        self.transform = nn.ConvTranspose2d(dim, 3, 2 * stride, stride, stride // 2)
        _silence(self.network.layers[-2])

    def forward(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        """Decodes to images around [-1, 1], not clipped."""
        return self._overlap(SLOWER * latent) + self.network(latent)

    def _overlap(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        """The transform, as a convolution whose outputs are the blocks between the vectors: that is faster."""
        stride = self.transform.stride[0]
        weight = self.transform.weight.unflatten(3, (2, stride)).unflatten(2, (2, stride)).flip(2, 4)  # D c i y j x
        weight = weight.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        assert self.transform.bias is not None
        blocks = F.conv2d(latent, weight, self.transform.bias.repeat_interleave(stride**2), padding=1)
        margin = stride // 2
        return F.pixel_shuffle(blocks, stride)[:, :, margin:-margin, margin:-margin]

    @torch.no_grad()
    def start(self, basis: Float[Tensor, "D 3 s s"], mean: Float[Tensor, "3 s s"]) -> None:
        """Sets the transform to that of single blocks: the sum of the basis, and the mean's own mean."""
        self.transform.weight.copy_(_in_larger_blocks(basis) / SLOWER)
        self.transform.bias.copy_(mean.mean((1, 2)))  # type: ignore[union-attr]


def _silence(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _in_larger_blocks(basis: Float[Tensor, "D 3 s s"]) -> Float[Tensor, "D 3 2*s 2*s"]:
    margin = basis.shape[-1] // 2
    return F.pad(basis, (margin, margin, margin, margin))
