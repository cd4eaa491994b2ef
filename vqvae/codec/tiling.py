"""An autoencoder's networks on images of any size: large ones in tiles, so that memory does not grow with the image."""

from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, Shaped, UInt8
from torch import Tensor, nn

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_pixels

Region = tuple[slice, slice]

TILE = 1024
"""Pixels, in each direction, that the networks are given at once, besides a margin; less take more time."""


class Tile(NamedTuple):
    """A part of a grid: rows and columns.

    Attributes:
        inner: what the tile is for; all tiles together cover the grid once.
        outer: what must be known to compute it: the inner part and a margin, as far as the grid goes.
    """

    inner: Region
    outer: Region

    @property
    def inside(self) -> Region:
        """Where the inner part lies in the outer one."""
        rows, columns = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(*self, strict=True))
        return rows, columns


def tiles(height: int, width: int, most: int, margin: int) -> Iterator[Tile]:
    """Tiles of nearly equal size, row by row.

    Args:
        height: of the grid.
        width: of the grid.
        most: places a tile may have in each direction, without its margin.
        margin: places around it that it depends on.
    """
    for rows in _cut(height, most):
        for columns in _cut(width, most):
            outer = tuple(
                slice(max(0, inner.start - margin), min(length, inner.stop + margin))
                for inner, length in ((rows, height), (columns, width))
            )
            yield Tile((rows, columns), (outer[0], outer[1]))


def scaled(region: Region, factor: int) -> Region:
    """The pixels of a region of vectors, `factor` of them for each in each direction."""
    rows, columns = (slice(part.start * factor, part.stop * factor) for part in region)
    return rows, columns


def _cut(length: int, most: int) -> list[slice]:
    number = -(-length // most)
    edges = [length * part // number for part in range(number + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


class TiledAutoEncoder:
    """Takes and gives 8-bit RGB images of any size, all images of a call being of the same.

    Args:
        autoencoder: the network; set to evaluation here.
    """

    def __init__(self, autoencoder: AutoEncoder):
        self.autoencoder = autoencoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of vectors that images of this size have."""
        stride = self.autoencoder.stride
        return -(-height // stride), -(-width // stride)

    def vectors(self, images: UInt8[np.ndarray, "n H W 3"]) -> Iterator[Float32[np.ndarray, "n r w D"]]:
        """What the quantiser would be given; some rows at a time, from top to bottom."""
        return self._bands(images, lambda part: self.autoencoder.encoder(part).permute(0, 2, 3, 1))

    def encode(self, images: UInt8[np.ndarray, "n H W 3"]) -> Int64[np.ndarray, "n h w M"]:
        """The indices of the nearest codewords."""
        return np.concatenate(list(self._bands(images, self.autoencoder.encode)), 1)

    def decode(self, indices: Int64[np.ndarray, "n h w m"], height: int, width: int) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, of this size, that indices stand for."""
        stride = self.autoencoder.stride
        images = np.empty((len(indices), height, width, 3), np.uint8)
        for tile in self._tiles(*self.grid(height, width), self.autoencoder.decoder):
            part = torch.from_numpy(indices[:, *tile.outer]).to(self._device)
            rows, columns = scaled(tile.inside, stride)
            pixels = to_pixels(self.autoencoder.decode(part)[:, :, rows, columns]).permute(0, 2, 3, 1).cpu().numpy()
            target = images[:, *scaled(tile.inner, stride)]
            target[:] = pixels[:, : target.shape[1], : target.shape[2]]
        return images

    def reconstruct(self, images: UInt8[np.ndarray, "n H W 3"]) -> UInt8[np.ndarray, "n H W 3"]:
        """The images as the model itself returns them, without tiles."""
        _, height, width, _ = images.shape
        pixels = to_pixels(self.autoencoder(self._prepare(images)).images)
        return pixels[:, :, :height, :width].permute(0, 2, 3, 1).contiguous().cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return self.autoencoder.quantizer.device

    def _tiles(self, height: int, width: int, network: nn.Module) -> Iterator[Tile]:
        """What a network computes at once: all of the grid, where that is no more than a tile."""
        return tiles(height, width, TILE // self.autoencoder.stride, int(network.reach))  # type: ignore[arg-type]

    def _bands(
        self, images: UInt8[np.ndarray, "n H W 3"], compute: Callable[[Tensor], Tensor]
    ) -> Iterator[Shaped[np.ndarray, "n r w F"]]:
        """What is computed of each place of the grid; the rows of a tile at a time."""
        tiles = self._tiles(*self.grid(*images.shape[1:3]), self.autoencoder.encoder)
        for _, band in groupby(tiles, lambda tile: tile.inner[0].start):
            parts = []
            for tile in band:
                rows, columns = scaled(tile.outer, self.autoencoder.stride)
                part = compute(self._prepare(images[:, rows, columns])).cpu().numpy()
                parts.append(part[:, *tile.inside])
            yield np.concatenate(parts, 2)

    def _prepare(self, images: UInt8[np.ndarray, "n H W 3"]) -> Float[Tensor, "n 3 h w"]:
        """As the network takes them: normalised, their last row and column repeated up to a whole stride."""
        pixels = torch.tensor(np.ascontiguousarray(images), device=self._device).permute(0, 3, 1, 2)
        _, height, width, _ = images.shape
        stride = self.autoencoder.stride
        padded = F.pad(normalize(pixels), (0, -width % stride, 0, -height % stride), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)
