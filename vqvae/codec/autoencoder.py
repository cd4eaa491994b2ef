"""Encoder, quantiser and decoder as one network: what is trained, and what the codec runs."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from vqvae.errors import ConfigError
from vqvae.networks import Decoder, Encoder
from vqvae.quantizers import Quantized, Quantizer


class Reconstruction(NamedTuple):
    """Images as they come back, and how their vectors were quantised."""

    images: Float[Tensor, "n 3 H W"]
    quantized: Quantized


class AutoEncoder(nn.Module):
    """Images in [-1, 1] → vectors → indices, and back.

    Args:
        encoder: images → grid of vectors.
        quantizer: vectors → indices.
        decoder: grid of vectors → images.

    Raises:
        ConfigError: they differ in the dimension of the vectors, or in the number of pixels per vector.
    """

    def __init__(self, encoder: Encoder, quantizer: Quantizer, decoder: Decoder):
        super().__init__()
        if not encoder.dim == quantizer.dim == decoder.dim:
            raise ConfigError(
                f"dim is {encoder.dim} in the encoder, {quantizer.dim} in the quantiser and {decoder.dim} in the "
                "decoder, but must be the same in all"
            )
        if encoder.stride != decoder.stride:
            raise ConfigError(
                f"the encoder takes {encoder.stride}×{encoder.stride} pixels per vector and the decoder gives "
                f"{decoder.stride}×{decoder.stride}, but both must be the same: see channels and patch"
            )
        self.encoder = encoder
        self.quantizer = quantizer
        self.decoder = decoder
        self.stride = decoder.stride

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the indices per pixel, before entropy coding, for images of whole strides."""
        return self.quantizer.bits_per_vector / self.stride**2

    def forward(self, images: Float[Tensor, "n 3 H W"]) -> Reconstruction:
        """Sends images through encoder, quantiser and decoder.

        Raises:
            ConfigError: height and width are no multiples of the stride.
        """
        latent = self.analysis(images)
        quantized = self.quantizer(to_vectors(latent))
        return Reconstruction(self.synthesis(to_grid(quantized.values, latent)), quantized)

    def analysis(self, images: Float[Tensor, "n 3 H W"], rate: float | None = None) -> Float[Tensor, "n D h w"]:
        """The vectors of images, before they are quantised.

        Args:
            images: the images.
            rate: from 0 to 1, for networks that take one.

        Raises:
            ConfigError: height and width are no multiples of the stride.
        """
        self._check_size(images)
        return self.encoder(images, rate) if self.encoder.takes_rate else self.encoder(images)

    def synthesis(self, latent: Float[Tensor, "n D h w"], rate: float | None = None) -> Float[Tensor, "n 3 H W"]:
        """The images of vectors; `rate` as in `analysis`."""
        return self.decoder(latent, rate) if self.decoder.takes_rate else self.decoder(latent)

    def encode(self, images: Float[Tensor, "n 3 H W"], rate: float | None = None) -> Int64[Tensor, "n h w M"]:
        """The indices of images; arguments and errors are those of `analysis`."""
        latent = self.analysis(images, rate)
        indices = self.quantizer.encode(to_vectors(latent))
        return indices.view(latent.shape[0], *latent.shape[2:], -1)

    def decode(self, indices: Int64[Tensor, "n h w m"], rate: float | None = None) -> Float[Tensor, "n 3 H W"]:
        """The images that indices stand for; `rate` as in `analysis`."""
        values = self.quantizer.decode(indices.flatten(0, 2))
        return self.synthesis(values.view(*indices.shape[:3], -1).permute(0, 3, 1, 2), rate)

    def _check_size(self, images: Float[Tensor, "n 3 H W"]) -> None:
        height, width = images.shape[2:]
        if height % self.stride or width % self.stride:
            raise ConfigError(
                f"images of {width}×{height} pixels cannot be cut into whole vectors of {self.stride}×{self.stride}: "
                f"choose a multiple (data.crop, for instance)"
            )


def to_vectors(latent: Float[Tensor, "n D h w"]) -> Float[Tensor, "nhw D"]:
    """A grid of vectors as a list, image by image and row by row."""
    return latent.permute(0, 2, 3, 1).flatten(0, 2)


def to_grid(vectors: Float[Tensor, "nhw D"], like: Float[Tensor, "n D h w"]) -> Float[Tensor, "n D h w"]:
    """The list as the grid that it came from."""
    n, dim, height, width = like.shape
    return vectors.view(n, height, width, dim).permute(0, 3, 1, 2)


def normalize(pixels: UInt8[Tensor, "n 3 H W"]) -> Float[Tensor, "n 3 H W"]:
    """8-bit pixels as the network takes them: in [-1, 1], channels last."""
    return (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def to_pixels(images: Float[Tensor, "n 3 H W"]) -> UInt8[Tensor, "n 3 H W"]:
    """The network's output as 8-bit pixels: clipped and rounded."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
