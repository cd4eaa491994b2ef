"""The convolutional decoder."""

from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.base import Decoder
from vqvae.networks.blocks import check_levels, residual_blocks


class ConvDecoder(Decoder):
    """Grid of vectors → image: the encoder's levels in reverse.

    Args:
        dim: dimension D of the vectors.
        channels: channels at each level, finest (1 / patch of the image's resolution) first, as in the encoder.
        hidden: channels inside the residual blocks of each level.
        blocks: residual blocks at each level.
        patch: pixels per vector of the finest level, in each direction.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 2):
        check_levels(dim, channels, hidden, blocks, patch)
        stride = patch * 2 ** (len(channels) - 1)
        pixels = patch + sum(patch * 2**level * number for level, number in enumerate(blocks))
        super().__init__(dim, stride, reach=1 + -(-pixels // stride))
        layers: list[nn.Module] = [nn.Conv2d(dim, channels[-1], 3, padding=1)]
        for level in reversed(range(len(channels))):
            layers.append(residual_blocks(channels[level], hidden[level], blocks[level]))
            layers.append(nn.SiLU())
            if level:
                layers += [nn.Conv2d(channels[level], 4 * channels[level - 1], 1), nn.PixelShuffle(2)]
        last = nn.Conv2d(channels[0], 3 * patch**2, 3, padding=1)
        self.layers = nn.Sequential(*layers, last, nn.PixelShuffle(patch))

    def forward(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        return self.layers(latent)
