"""The convolutional decoder."""

from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.blocks import check_levels, residual_blocks


class ConvDecoder(nn.Module):
    """Grid of vectors → image: the encoder's levels in reverse.

    Args:
        dim: dimension D of the vectors.
        channels: channels at each level, finest (1 / patch of the image's resolution) first, as in the encoder.
        hidden: channels inside the residual blocks of each level.
        blocks: residual blocks at each level.
        patch: pixels that one place of the finest level stands for, in each direction.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 2):
        super().__init__()
        check_levels(channels, hidden, blocks)
        layers: list[nn.Module] = [nn.Conv2d(dim, channels[-1], 3, padding=1)]
        for level in reversed(range(len(channels))):
            layers.append(residual_blocks(channels[level], hidden[level], blocks[level]))
            layers.append(nn.SiLU())
            if level:
                layers += [nn.Conv2d(channels[level], 4 * channels[level - 1], 1), nn.PixelShuffle(2)]
        pixels = patch + sum(patch * 2**level * number for level, number in enumerate(blocks))
        self.reach = 1 + -(-pixels // (patch * 2 ** (len(channels) - 1)))
        """How far away vectors are that a pixel depends on."""
        last = nn.Conv2d(channels[0], 3 * patch**2, 3, padding=1)
        self.layers = nn.Sequential(*layers, last, nn.PixelShuffle(patch))

    def forward(self, latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "n 3 H W"]:
        """Decodes to images around [-1, 1], not clipped."""
        return self.layers(latent)
