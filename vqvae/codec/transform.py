"""Images ↔ grids of vectors, by the networks of an autoencoder; large images in tiles, so that memory stays bounded."""

from collections.abc import Callable, Iterator
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, Shaped, UInt8
from torch import Tensor

from vqvae.codec.autoencoder import AutoEncoder, normalize, to_pixels
from vqvae.codec.tiling import Tile, scaled, tiles
from vqvae.networks.base import Network

TILE = 1024
"""Largest height and width, in pixels, that the networks are given at once, besides a margin; smaller is slower."""


class ImageTransform:
    """Takes and gives 8-bit RGB images of any size, all images of a call having the same size.

    Args:
        autoencoder: the networks, and the quantiser whose vectors they share; set to evaluation here.
        tile: largest height and width, in pixels, that the networks are given at once.
    """

    def __init__(self, autoencoder: AutoEncoder, tile: int = TILE):
        self.autoencoder = autoencoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tile = tile

    @property
    def takes_rate(self) -> bool:
        """Whether the networks depend on a rate."""
        return self.autoencoder.encoder.takes_rate or self.autoencoder.decoder.takes_rate

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of vectors of an image of this size."""
        stride = self.autoencoder.stride
        return -(-height // stride), -(-width // stride)

    def analysis(
        self, images: UInt8[np.ndarray, "n H W 3"], rate: float | None = None
    ) -> Iterator[Float32[np.ndarray, "n r w D"]]:
        """The vectors of images, some rows of the grid at a time, from top to bottom.

        Args:
            images: the pixels.
            rate: from 0 to 1, for networks that take one.
        """
        return self._bands(images, rate, lambda vectors: vectors)

    def nearest(self, images: UInt8[np.ndarray, "n H W 3"], rate: float | None = None) -> Int64[np.ndarray, "n h w M"]:
        """The indices of the codewords nearest to the vectors of images; arguments are those of `analysis`."""

        def encode(vectors: Tensor) -> Tensor:
            return self.autoencoder.quantizer.encode(vectors.flatten(0, 2)).view(*vectors.shape[:3], -1)

        return np.concatenate(list(self._bands(images, rate, encode)), 1)

    def synthesis(
        self, indices: Int64[np.ndarray, "n h w m"], height: int, width: int, rate: float | None = None
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, of this size, of the vectors that indices stand for.

        Args:
            indices: of all stages, or of the first ones.
            height: of the images.
            width: of the images.
            rate: from 0 to 1, for networks that take one.
        """
        images = np.empty((len(indices), height, width, 3), np.uint8)
        for tile in self._tiles(*self.grid(height, width), self.autoencoder.decoder):
            part = torch.from_numpy(indices[:, *tile.outer]).to(self._device)
            values = self.autoencoder.quantizer.decode(part).permute(0, 3, 1, 2)
            decoded = self._decode_tile(values, tile, rate, height, width)
            target = images[:, *scaled(tile.inner, self.autoencoder.stride)]
            target[:] = to_pixels(decoded).permute(0, 2, 3, 1).cpu().numpy()
        return images

    def error_gradient(
        self, vectors: Float32[np.ndarray, "n h w D"], images: UInt8[np.ndarray, "n H W 3"], rate: float | None
    ) -> tuple[float, Float32[np.ndarray, "n h w D"]]:
        """The squared error of the images that vectors are decoded to, before rounding, and its gradient.

        Args:
            vectors: of the images.
            images: the pixels, which count as from -1 to 1.
            rate: from 0 to 1, for networks that take one.
        """
        error, gradient = 0.0, np.zeros_like(vectors)
        with torch.inference_mode(False), torch.enable_grad():
            for tile in self._tiles(vectors.shape[1], vectors.shape[2], self.autoencoder.decoder):
                part = self._to_grid(vectors[:, *tile.outer]).requires_grad_()
                difference = self._decode_tile(part, tile, rate, *images.shape[1:3])
                rows, columns = scaled(tile.inner, self.autoencoder.stride)
                pixels = torch.tensor(images[:, rows, columns], device=self._device).permute(0, 3, 1, 2)
                squared = (difference - normalize(pixels)).square().sum()
                (slope,) = torch.autograd.grad(squared, part)
                error += float(squared.detach())
                gradient[:, *tile.outer] += slope.permute(0, 2, 3, 1).cpu().numpy()
        return error, gradient

    @torch.no_grad()
    def error_scale(
        self, vectors: Float32[np.ndarray, "n h w D"], values: Float32[np.ndarray, "n h w D"], rate: float | None
    ) -> float:
        """How much larger squared errors become in the decoder: those of `values` instead of `vectors`."""
        before = after = 0.0
        stride = self.autoencoder.stride
        height, width = (length * stride for length in vectors.shape[1:3])
        for tile in self._tiles(vectors.shape[1], vectors.shape[2], self.autoencoder.decoder):
            decoded = [
                self._decode_tile(self._to_grid(grid[:, *tile.outer]), tile, rate, height, width)
                for grid in (vectors, values)
            ]
            after += float((decoded[1] - decoded[0]).square().sum())
            before += float(np.square(values[:, *tile.inner] - vectors[:, *tile.inner]).sum())
        return after / before if before and after else 1.0

    def _decode_tile(
        self, grid: Float[Tensor, "n D a b"], tile: Tile, rate: float | None, height: int, width: int
    ) -> Float[Tensor, "n 3 c d"]:
        """The pixels of the inner part of a tile of images of this size."""
        rows, columns = scaled(tile.inside, self.autoencoder.stride)
        top, left = (part.start * self.autoencoder.stride for part in tile.inner)
        decoded = self.autoencoder.synthesis(grid, rate)[:, :, rows, columns]
        return decoded[:, :, : height - top, : width - left]

    def _to_grid(self, vectors: Float32[np.ndarray, "n h w D"]) -> Float[Tensor, "n D h w"]:
        return torch.tensor(np.ascontiguousarray(vectors), device=self._device).permute(0, 3, 1, 2)

    @property
    def _device(self) -> torch.device:
        return self.autoencoder.quantizer.device

    def _tiles(self, height: int, width: int, network: Network) -> Iterator[Tile]:
        """What a network computes at once: all of the grid, where that is no more than a tile."""
        return tiles(height, width, max(1, self.tile // self.autoencoder.stride), network.reach, network.alignment)

    def _bands(
        self, images: UInt8[np.ndarray, "n H W 3"], rate: float | None, compute: Callable[[Tensor], Tensor]
    ) -> Iterator[Shaped[np.ndarray, "n r w F"]]:
        """What is computed from each vector; the rows of a tile at a time."""
        encoder = self.autoencoder.encoder
        for _, band in groupby(self._tiles(*self.grid(*images.shape[1:3]), encoder), lambda tile: tile.inner[0].start):
            parts = []
            for tile in band:
                rows, columns = scaled(tile.outer, self.autoencoder.stride)
                vectors = self.autoencoder.analysis(self._prepare(images[:, rows, columns]), rate).permute(0, 2, 3, 1)
                parts.append(compute(vectors).cpu().numpy()[:, *tile.inside])
            yield np.concatenate(parts, 2)

    def _prepare(self, images: UInt8[np.ndarray, "n H W 3"]) -> Float[Tensor, "n 3 h w"]:
        """As the network takes them: normalised, their last row and column repeated up to a whole stride."""
        pixels = torch.tensor(np.ascontiguousarray(images), device=self._device).permute(0, 3, 1, 2)
        _, height, width, _ = images.shape
        stride = self.autoencoder.stride
        padded = F.pad(normalize(pixels), (0, -width % stride, 0, -height % stride), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)
