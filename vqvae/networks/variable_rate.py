"""Networks beside a lapped transform that know at which rate they work, so that one model serves all rates."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.blocks import check_levels
from vqvae.networks.lapped import LappedAnalysis, LappedSynthesis, zero_init

NODES = 9
"""Number of rates whose gains are learned; in between they are interpolated."""

PATCH = 4
"""Pixels per position of the finest level, in each direction."""

Rate = float | Float[Tensor, " n"]
"""From 0 (lowest) to 1: of all images, or of each."""


class RateGain(nn.Module):
    """Multiplies each channel by a gain that depends on the rate.

    Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate Adaptation", CVPR 2021.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gains = nn.Parameter(torch.zeros(NODES, channels))

    def forward(self, x: Float[Tensor, "n c h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        position = rate.clamp(0, 1) * (NODES - 1)
        node = position.floor().clamp(max=NODES - 2)
        fraction = (position - node).unsqueeze(1).to(self.gains.dtype)
        lower, upper = (self.gains[node.long() + step] for step in (0, 1))
        gains = 1 + torch.lerp(lower, upper, fraction)
        return x * gains[:, :, None, None].to(x.dtype)


class GainBlock(nn.Module):
    """x + a 3×3 convolution, gains for the rate, and a 1×1 convolution.

    Args:
        channels: channels in, in between and out.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = RateGain(channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "n c h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        return x + self.mix(self.gain(F.silu(self.spatial(F.silu(x))), rate))


class CoarseBranch(nn.Module):
    """x + blocks at half the resolution: twice the reach at a quarter of the operations. Adds nothing at first.

    Args:
        channels: channels in and out.
        coarse: channels at half the resolution.
        blocks: number of blocks there.
    """

    def __init__(self, channels: int, coarse: int, blocks: int):
        super().__init__()
        self.down = nn.Conv2d(channels, coarse, 2, stride=2)
        self.blocks = GainBlocks(coarse, blocks)
        self.up = nn.Conv2d(coarse, 4 * channels, 1)
        zero_init(self.up)

    def forward(self, x: Float[Tensor, "n c h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        height, width = x.shape[2:]
        even = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate") if height % 2 or width % 2 else x
        y = self.blocks(self.down(F.silu(even)), rate)
        return x + F.pixel_shuffle(self.up(F.silu(y)), 2)[:, :, :height, :width]


class GainBlocks(nn.ModuleList):
    """Blocks one after the other.

    Args:
        channels: channels of each.
        number: of blocks.
    """

    def __init__(self, channels: int, number: int):
        super().__init__(GainBlock(channels) for _ in range(number))

    def forward(self, x: Float[Tensor, "n c h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        for block in self:
            x = block(x, rate)
        return x


class VariableRateEncoder(LappedAnalysis):
    """Image → grid of vectors at 1/8 of the resolution, for any rate.

    Args:
        dim: dimension D of the vectors.
        channels: channels at 1/4, 1/8 and 1/16 of the resolution.
        blocks: blocks at each of them.
    """

    takes_rate = True
    alignment = 2  # of the branch at half the resolution

    def __init__(self, dim: int, channels: list[int], blocks: list[int]):
        fine, middle, coarse = _check_levels(dim, channels, blocks)
        super().__init__(dim, 2 * PATCH, -(-(blocks[0] + 3) // 2) + _coarse_reach(blocks))
        before = blocks[1] // 2
        self.embed = nn.Conv2d(3 * PATCH**2, fine, 3, padding=1)
        self.fine = GainBlocks(fine, blocks[0])
        self.down = nn.Conv2d(fine, middle, 4, stride=2, padding=1)
        self.before = GainBlocks(middle, before)
        self.coarse = CoarseBranch(middle, coarse, blocks[2])
        self.after = GainBlocks(middle, blocks[1] - before)
        self.last = nn.Conv2d(middle, dim, 1)
        zero_init(self.last)
        self.gain = RateGain(dim)

    def forward(self, image: Float[Tensor, "n 3 H W"], rate: Rate) -> Float[Tensor, "n D h w"]:  # type: ignore[override]
        """Encodes images; the vectors are in full precision under autocast, too, since bfloat16 is too coarse to be
        quantised at high rates.
        """
        rate = _of_each(rate, image)
        x = self.fine(self.embed(F.pixel_unshuffle(image, PATCH)), rate)
        x = self.coarse(self.before(self.down(F.silu(x)), rate), rate)
        x = self.last(F.silu(self.after(x, rate))).to(self.transform.weight.dtype)
        with torch.autocast(image.device.type, enabled=False):
            return self.gain(self.linear(image) + x, rate)


class VariableRateDecoder(LappedSynthesis):
    """Grid of vectors → image: the encoder in reverse.

    Args:
        dim: dimension D of the vectors.
        channels: channels at 1/4, 1/8 and 1/16 of the resolution.
        blocks: blocks at each of them.
    """

    takes_rate = True
    alignment = 2  # of the branch at half the resolution

    def __init__(self, dim: int, channels: list[int], blocks: list[int]):
        fine, middle, coarse = _check_levels(dim, channels, blocks)
        super().__init__(dim, 2 * PATCH, 1 + -(-(blocks[0] + 1) // 2) + _coarse_reach(blocks))
        before = blocks[1] // 2
        self.gain = RateGain(dim)
        self.embed = nn.Conv2d(dim, middle, 3, padding=1)
        self.before = GainBlocks(middle, before)
        self.coarse = CoarseBranch(middle, coarse, blocks[2])
        self.after = GainBlocks(middle, blocks[1] - before)
        self.up = nn.Conv2d(middle, 4 * fine, 1)
        self.fine = GainBlocks(fine, blocks[0])
        self.last = nn.Conv2d(fine, 3 * PATCH**2, 3, padding=1)
        zero_init(self.last)

    def forward(self, latent: Float[Tensor, "n D h w"], rate: Rate) -> Float[Tensor, "n 3 H W"]:  # type: ignore[override]
        rate = _of_each(rate, latent)
        with torch.autocast(latent.device.type, enabled=False):
            latent = self.gain(latent, rate)
            linear = self.linear(latent)
        x = self.coarse(self.before(self.embed(latent), rate), rate)
        x = F.pixel_shuffle(self.up(F.silu(self.after(x, rate))), 2)
        x = self.last(F.silu(self.fine(x, rate)))
        return linear + F.pixel_shuffle(x, PATCH).to(linear.dtype)


def _of_each(rate: Rate, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    return torch.as_tensor(rate, dtype=torch.float32, device=images.device).expand(len(images))


def _coarse_reach(blocks: list[int]) -> int:
    """How far the blocks at 1/8 and 1/16 of the resolution reach, in vectors."""
    return blocks[1] + 2 * blocks[2] + 1


def _check_levels(dim: int, channels: list[int], blocks: list[int]) -> list[int]:
    if len(channels) != 3 or len(blocks) != 3:
        raise ValueError(f"channels={channels} and blocks={blocks} must have three entries each: at 1/4, 1/8 and 1/16")
    check_levels(dim, channels, channels, blocks, PATCH)
    return channels
