"""The convolutional encoder."""

from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.blocks import check_levels, residual_blocks


class ConvEncoder(nn.Module):
    """Image → grid of vectors: residual blocks at 1/2, 1/4, … of the resolution, or from a coarser one on.

    Args:
        dim: dimension D of the vectors.
        channels: channels at each level, finest (1 / patch of the image's resolution) first.
        hidden: channels inside the residual blocks of each level.
        blocks: residual blocks at each level.
        patch: pixels that one place of the finest level stands for, in each direction.
    """

    def __init__(self, dim: int, channels: list[int], hidden: list[int], blocks: list[int], patch: int = 2):
        super().__init__()
        check_levels(channels, hidden, blocks)
        layers: list[nn.Module] = [nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, channels[0], 3, padding=1)]
        for level, (width, inner, number) in enumerate(zip(channels, hidden, blocks, strict=True)):
            if level:
                layers += [nn.SiLU(), nn.Conv2d(channels[level - 1], width, 4, stride=2, padding=1)]
            layers.append(residual_blocks(width, inner, number))
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(channels[-1], dim, 1))
        self.stride = patch * 2 ** (len(channels) - 1)
        """Pixels per vector, in each direction."""
        pixels = sum(patch * 2**level * (number + 1) for level, number in enumerate(blocks))
        self.reach = -(-pixels // self.stride)
        """How far away pixels are, in vectors, that a vector depends on."""

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Float[Tensor, "n D h w"]:
        """Encodes images in [-1, 1] whose height and width are multiples of the stride."""
        return self.layers(image)
