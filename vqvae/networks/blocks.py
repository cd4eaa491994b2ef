"""The parts that encoder and decoder are made of."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

MAX_LEVELS, MAX_CHANNELS, MAX_BLOCKS, MAX_PATCH = 8, 8192, 64, 64
"""Limits for what a model file may ask for; the number of blocks is of all levels together."""


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


def check_levels(dim: int, channels: Sequence[int], hidden: Sequence[int], blocks: Sequence[int], patch: int) -> None:
    """Checks the arguments of a network before anything is built.

    Raises:
        ValueError: the lists do not name the same levels, or a number is out of range.
    """
    if not channels or not len(channels) == len(hidden) == len(blocks) <= MAX_LEVELS:
        raise ValueError(
            f"channels={channels}, hidden={hidden} and blocks={blocks} must have one entry each per level, finest "
            f"first, for 1 to {MAX_LEVELS} levels"
        )
    for name, values, least, most in (
        ("dim", [dim], 1, MAX_CHANNELS),
        ("channels", channels, 1, MAX_CHANNELS),
        ("hidden", hidden, 1, MAX_CHANNELS),
        ("blocks", blocks, 0, MAX_BLOCKS),
        ("blocks in all", [sum(blocks)], 0, MAX_BLOCKS),
        ("patch", [patch], 1, MAX_PATCH),
    ):
        if not least <= min(values) <= max(values) <= most:
            raise ValueError(f"{name}={values[0] if len(values) == 1 else values} must be from {least} to {most}")
