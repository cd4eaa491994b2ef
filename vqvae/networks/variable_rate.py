"""Networks beside a lapped transform that know at which rate they work."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vqvae.networks.lapped import SLOWER, LappedDecoder, LappedEncoder, _silence

NODES = 9
"""Rates at which gains are kept; in between they are interpolated."""


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
        """Scales the channels of each image.

        Args:
            x: features.
            rate: of each image, from 0 (lowest) to 1.
        """
        place = rate.clamp(0, 1) * (NODES - 1)
        lower = place.floor().clamp(max=NODES - 2)
        share = (place - lower).unsqueeze(1)
        lower = lower.long()
        gains = 1 + torch.lerp(self.gains[lower], self.gains[lower + 1], share)
        return x * gains[:, :, None, None].to(x.dtype)


class GainBlock(nn.Module):
    """x + a 3×3 convolution, gains for the rate, and a 1×1 convolution back.

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
    """x + blocks at half the resolution: twice the reach at a quarter of the operations. Begins as x alone.

    Args:
        channels: channels in and out.
        coarse: channels at half the resolution.
        blocks: number of blocks there.
    """

    def __init__(self, channels: int, coarse: int, blocks: int):
        super().__init__()
        self.down = nn.Conv2d(channels, coarse, 2, stride=2)
        self.blocks = nn.ModuleList(GainBlock(coarse) for _ in range(blocks))
        self.up = nn.Conv2d(coarse, 4 * channels, 1)
        _silence(self.up)

    def forward(self, x: Float[Tensor, "n c h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        height, width = x.shape[2:]
        even = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate") if height % 2 or width % 2 else x
        y = self.down(F.silu(even))
        for block in self.blocks:
            y = block(y, rate)
        return x + F.pixel_shuffle(self.up(F.silu(y)), 2)[:, :, :height, :width]


class VariableRateEncoder(nn.Module):
    """Image → grid of vectors at 1/8 of the resolution, for any rate.

    Args:
        dim: dimension D of the vectors.
        channels: channels at 1/4, 1/8 and 1/16 of the resolution.
        blocks: blocks at each.
    """

    stride = 8

    def __init__(self, dim: int, channels: list[int], blocks: list[int]):
        super().__init__()
        fine, middle, coarse = channels
        self.embed = nn.Conv2d(48, fine, 3, padding=1)
        self.fine = nn.ModuleList(GainBlock(fine) for _ in range(blocks[0]))
        self.down = nn.Conv2d(fine, middle, 4, stride=2, padding=1)
        half = blocks[1] // 2
        self.before = nn.ModuleList(GainBlock(middle) for _ in range(half))
        self.coarse = CoarseBranch(middle, coarse, blocks[2])
        self.after = nn.ModuleList(GainBlock(middle) for _ in range(blocks[1] - half))
        self.last = nn.Conv2d(middle, dim, 1)
        _silence(self.last)
        self.transform = nn.Conv2d(3, dim, 16, 8, 4)
        self.gain = RateGain(dim)
        self.reach = 12

    def forward(self, image: Float[Tensor, "n 3 H W"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n D h w"]:
        x = self.embed(F.pixel_unshuffle(image, 4))
        for block in self.fine:
            x = block(x, rate)
        x = self.down(F.silu(x))
        for block in self.before:
            x = block(x, rate)
        x = self.coarse(x, rate)
        for block in self.after:
            x = block(x, rate)
        x = self.last(F.silu(x)).float()
        with torch.autocast(image.device.type, enabled=False):  # bfloat16 is too coarse for what is to be quantised
            return self.gain(self.transform(SLOWER * image) + x, rate)

    start = LappedEncoder.start


class VariableRateDecoder(nn.Module):
    """Grid of vectors → image: the encoder in reverse.

    Args:
        dim: dimension D of the vectors.
        channels: channels at 1/4, 1/8 and 1/16 of the resolution.
        blocks: blocks at each.
    """

    def __init__(self, dim: int, channels: list[int], blocks: list[int]):
        super().__init__()
        fine, middle, coarse = channels
        self.gain = RateGain(dim)
        self.embed = nn.Conv2d(dim, middle, 3, padding=1)
        half = blocks[1] // 2
        self.before = nn.ModuleList(GainBlock(middle) for _ in range(half))
        self.coarse = CoarseBranch(middle, coarse, blocks[2])
        self.after = nn.ModuleList(GainBlock(middle) for _ in range(blocks[1] - half))
        self.up = nn.Conv2d(middle, 4 * fine, 1)
        self.fine = nn.ModuleList(GainBlock(fine) for _ in range(blocks[0]))
        self.last = nn.Conv2d(fine, 48, 3, padding=1)
        _silence(self.last)
        self.transform = nn.ConvTranspose2d(dim, 3, 16, 8, 4)
        self.reach = 12

    def forward(self, latent: Float[Tensor, "n D h w"], rate: Float[Tensor, " n"]) -> Float[Tensor, "n 3 H W"]:
        with torch.autocast(latent.device.type, enabled=False):
            latent = self.gain(latent, rate)
            linear = self._overlap(SLOWER * latent)
        x = self.embed(latent)
        for block in self.before:
            x = block(x, rate)
        x = self.coarse(x, rate)
        for block in self.after:
            x = block(x, rate)
        x = F.pixel_shuffle(self.up(F.silu(x)), 2)
        for block in self.fine:
            x = block(x, rate)
        pixels = F.pixel_shuffle(self.last(F.silu(x)), 4)
        return linear + pixels.float()

    _overlap = LappedDecoder._overlap
    start = LappedDecoder.start
