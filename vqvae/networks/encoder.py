"""The convolutional encoder."""

from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.base import Encoder
from vqvae.networks.blocks import check_levels, residual_blocks


class ConvEncoder(Encoder):
    """Image → grid of vectors: residual blocks at 1/2, 1/4, … of the resolution, or from a coarser one on.

    Args:
        dim: dimension D of the vectors.
        channels: channels at each level, finest (1 / patch of the image's resolution) first.
        hidden: channels inside the residual blocks of each level.
        blocks: residual blocks at each level.
        patch: pixels per vector of the finest level, in each direction.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 2):
        check_levels(dim, channels, hidden, blocks, patch)
        stride = patch * 2 ** (len(channels) - 1)
        pixels = sum(patch * 2**level * (number + 1) for level, number in enumerate(blocks))
        super().__init__(dim, stride, reach=-(-pixels // stride))
        layers: list[nn.Module] = [nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, channels[0], 3, padding=1)]
        for level, (width, inner, number) in enumerate(zip(channels, hidden, blocks, strict=True)):
            if level:
                layers += [nn.SiLU(), nn.Conv2d(channels[level - 1], width, 4, stride=2, padding=1)]
            layers.append(residual_blocks(width, inner, number))
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(channels[-1], dim, 1))

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        return self.layers(image)
