"""The parts that encoder and decoder are made of."""

from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + a 3×3 convolution to `hidden` channels and a 1×1 convolution back.

    Args:
        channels: channels in and out.
        hidden: channels in between.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.block = nn.Sequential(
            nn.SiLU(), nn.Conv2d(channels, hidden, 3, padding=1), nn.SiLU(), nn.Conv2d(hidden, channels, 1)
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.block(x)


def residual_blocks(channels: int, hidden: int, number: int) -> nn.Sequential:
    """`number` blocks in a row."""
    return nn.Sequential(*(ResidualBlock(channels, hidden) for _ in range(number)))


def check_levels(channels: list[int], hidden: list[int], blocks: list[int]) -> None:
    """Raises ValueError unless all lists name the same levels, at least one."""
    if not channels or not len(channels) == len(hidden) == len(blocks):
        raise ValueError(
            f"channels={channels}, hidden={hidden} and blocks={blocks} must have one entry each per level, finest first"
        )
