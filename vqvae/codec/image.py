"""Images ↔ the bytes of files."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from vqvae.backend.dispatch import Backend, Compiled
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.index_coder import IndexCoder
from vqvae.codec.inputs import check_batch, to_pixels
from vqvae.codec.rate_code import add_rate, rounded_rate, split_rate
from vqvae.codec.rate_control import LambdaRange, allows_rdo, rdo_quantize, search_quality
from vqvae.codec.transform import ImageTransform
from vqvae.entropy import EntropyModel
from vqvae.errors import BitstreamError, ConfigError, ImageError, UsageError
from vqvae.formats import Chunks, Coded, Container, Kind, ModelId, pack, unpack
from vqvae.formats.chunks import NOTHING
from vqvae.media.images import MAX_PIXELS
from vqvae.quantizers import PrefixDecodable

DEFAULT_QUALITY = 50.0
"""Of variable-rate models, where none is given."""

PADDED_LIMIT = 2
"""Times the limit on an image's pixels that its padding to the networks' stride may take it to."""


class ImageCodec:
    """Compresses 8-bit RGB images of any size with one model.

    It may be pickled: what it has computed from the model's tables stays behind. Several threads may use it.

    Args:
        autoencoder: the networks; set to evaluation here.
        entropy_model: codes the indices; fixed width does where that is shorter.
        model_id: tells files of this model from those of others.
        max_pixels: files that claim larger images are refused, as are images whose padding takes twice as many.
        lambda_range: of a variable-rate model.
        backend: chooses between compiled and plain code; both give the same bytes.

    Raises:
        ConfigError: there is a range of λ, but the quantiser cannot weigh bits against distortion.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        entropy_model: EntropyModel,
        model_id: ModelId,
        max_pixels: int = MAX_PIXELS,
        lambda_range: LambdaRange | None = None,
        backend: Backend | None = None,
    ):
        quantizer = autoencoder.quantizer
        if lambda_range and not allows_rdo(quantizer):
            raise ConfigError(
                f"{type(quantizer).__name__} cannot weigh bits against distortion, but the model has qualities: "
                "leave them out, or take product_vq with codebook_bits as the quantiser"
            )
        layers = quantizer.prefixes if isinstance(quantizer, PrefixDecodable) else None
        self.autoencoder = autoencoder
        self.entropy_model = entropy_model
        self.transform = ImageTransform(autoencoder)
        self.index_coder = IndexCoder(entropy_model, quantizer.index_sizes, layers)
        self.model_id = model_id
        self.max_pixels = max_pixels
        self.lambda_range = lambda_range
        self.backend = backend or Compiled()

    @property
    def stages(self) -> int:
        """Number of stages that can be decoded one after the other; 1 where the quantiser has no prefixes."""
        return len(self.index_coder.layers)

    @property
    def variable_rate(self) -> bool:
        """Whether a quality can be chosen."""
        return self.lambda_range is not None or self.transform.takes_rate

    def to(self, device: torch.device | str) -> "ImageCodec":
        """Moves the networks to a device, and returns the codec itself."""
        self.autoencoder.to(device)
        return self

    def compress(
        self, image: Any, *, quality: float | None = None, progressive: bool = False, chunks: Chunks = NOTHING
    ) -> bytes:
        """The file for an image.

        Args:
            image: a uint8 array or tensor (H, W, 3) or (H, W), a Pillow image of mode RGB or L, or a path.
            quality: from 0 to 100, of a variable-rate model; by default 50.
            progressive: whether the file may be cut after any stage.
            chunks: metadata to store in the file, as `media.metadata_chunks.to_chunks` makes it.

        Raises:
            UsageError: the image is of another type or shape or empty; the model has one rate, or the quality is out of
                range; or the quantiser cannot decode its first stages alone.
        """
        pixels, chunks = _to_rgb(image, chunks)
        (coded,) = self.compress_batch(pixels[None], progressive, quality)
        height, width, _ = pixels.shape
        return self.pack(coded, height, width, chunks)

    def decompress(self, data: bytes, stages: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """The image of a file.

        Args:
            data: the file's bytes; a progressive file may have been cut after any stage.
            stages: decode the first stages only.

        Raises:
            UnknownModelError: the file was made with another model.
            BitstreamError: the file is foreign, truncated or corrupt.
            UsageError: the quantiser cannot decode its first stages alone.
        """
        container = unpack(data, [self.model_id], stages)
        return self.decompress_batch([container.coded], container.height, container.width, stages)[0]

    def pack(self, coded: Coded, height: int, width: int, chunks: Chunks = NOTHING) -> bytes:
        """The file for the coded indices of an image of this size."""
        return pack(Container(width, height, self.model_id, coded, chunks))

    @torch.inference_mode()
    def compress_batch(
        self, images: UInt8[np.ndarray, "n H W 3"], progressive: bool = False, quality: float | None = None
    ) -> list[Coded]:
        """The coded indices of images of one size; arguments and errors are those of `compress`."""
        if progressive:
            self._check_prefixes()
        check_batch(images)
        height, width = images.shape[1:3]
        if self._padded_pixels(height, width) > PADDED_LIMIT * self.max_pixels:
            raise ImageError(self._too_large(height, width) + ": cut it up first")
        with self.backend.coding(len(images) * prod(self.transform.grid(height, width))):
            return self._code(self.indices(images, quality), progressive, quality)

    @torch.inference_mode()
    def decompress_batch(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, all of this size, of coded indices.

        Raises:
            BitstreamError: the indices are damaged.
            UsageError: the quantiser cannot decode its first stages alone.
        """
        if stages is not None:
            self._check_prefixes()
        indices = self.decode_indices(coded, height, width, stages)
        if not self.transform.takes_rate:
            return self.transform.synthesis(indices, height, width)
        images = np.empty((len(coded), height, width, 3), np.uint8)
        rates = np.array([split_rate(one).rate for one in coded])
        for rate in np.unique(rates):
            images[rates == rate] = self.transform.synthesis(indices[rates == rate], height, width, float(rate))
        return images

    @torch.inference_mode()
    def indices(
        self, images: UInt8[np.ndarray, "n H W 3"], quality: float | None = None
    ) -> Int64[np.ndarray, "n h w M"]:
        """The indices of images of one size: the nearest, or of a variable-rate model those of least D + λ · bits.

        Raises:
            UsageError: there is a quality, but the model has one rate; or it is out of range.
        """
        quality = self._checked(quality)
        rate = rounded_rate(quality / 100) if self.transform.takes_rate else None
        if self.lambda_range is None:
            return self.transform.nearest(images, rate)
        return self._choose(self.transform.analysis(images, rate), quality)

    def decode_indices(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> Int64[np.ndarray, "n h w m"]:
        """The indices of images that are all of this size: those of the first `stages`, or as many as there are.

        Raises:
            BitstreamError: they are damaged, too large, or coded by another kind of entropy model.
        """
        self._check_size(height, width)
        if self.transform.takes_rate:
            coded = [split_rate(one).coded for one in coded]
        grid = self.transform.grid(height, width)
        with self.backend.coding(len(coded) * prod(grid)):
            return self.index_coder.decode(coded, grid, stages)

    @torch.inference_mode()
    def quality_for(self, image: Any, bpp: float, chunks: Chunks = NOTHING) -> float:
        """The highest quality found at which the file of an image has no more bits per pixel.

        Args:
            image: as `compress` takes it.
            bpp: bits per pixel.
            chunks: metadata to store in the file.

        Raises:
            UsageError: even quality 0 takes more, or the model has one rate.
        """
        self.check_variable_rate()
        pixels, chunks = _to_rgb(image, chunks)
        height, width, _ = pixels.shape
        vectors = [] if self.transform.takes_rate else list(self.transform.analysis(pixels[None]))

        def size_at(quality: float) -> int:
            with self.backend.coding(prod(self.transform.grid(height, width))):
                indices = self._choose(vectors, quality) if vectors else self.indices(pixels[None], quality)
                (coded,) = self._code(indices, False, quality)
            return len(self.pack(coded, height, width, chunks))

        quality = search_quality(size_at, bpp * height * width / 8)
        if quality is None:
            needed = 8 * size_at(0.0) / (height * width)
            raise UsageError(f"{bpp:g} bpp cannot be reached: quality 0 takes {needed:.3f} bpp for this image")
        return quality

    def check_variable_rate(self) -> None:
        """Raises UsageError where the model has one rate, so that there is no quality to choose."""
        if not self.variable_rate:
            raise UsageError("this model has one rate: leave the quality out, or choose a variable-rate model")

    def _checked(self, quality: float | None) -> float:
        if quality is None:
            return DEFAULT_QUALITY
        self.check_variable_rate()
        if not 0 <= quality <= 100:
            raise UsageError(f"the quality is {quality}, but must be from 0 to 100")
        return quality

    def _choose(self, bands: Iterable[Float32[np.ndarray, "n r w D"]], quality: float) -> Int64[np.ndarray, "n h w M"]:
        assert self.lambda_range is not None
        lmbda = self.lambda_range.lmbda(quality)
        return rdo_quantize(bands, self.autoencoder.quantizer, self.entropy_model, lmbda)

    def _code(self, indices: Int64[np.ndarray, "n h w M"], progressive: bool, quality: float | None) -> list[Coded]:
        coded = self.index_coder.encode(indices, progressive)
        if not self.transform.takes_rate:
            return coded
        return [add_rate(one, self._checked(quality) / 100) for one in coded]

    def _check_size(self, height: int, width: int) -> None:
        """Refuses what is too large, before any time or memory is spent on it."""
        pixels = width * height
        if pixels > self.max_pixels:
            raise BitstreamError(
                f"claims {width}×{height} pixels, more than the limit of {self.max_pixels}: "
                f"raise it with --max-pixels {pixels} if you trust the file"
            )
        if self._padded_pixels(height, width) > PADDED_LIMIT * self.max_pixels:
            raise BitstreamError(f"claims to be an image that {self._too_large(height, width)}")

    def _padded_pixels(self, height: int, width: int) -> int:
        """Pixels that the networks compute for an image: many more than it has, if it is a few pixels wide."""
        return prod(self.transform.grid(height, width)) * self.autoencoder.stride**2

    def _too_large(self, height: int, width: int) -> str:
        padded, stride = self._padded_pixels(height, width), self.autoencoder.stride
        limit = PADDED_LIMIT * self.max_pixels
        return f"has {width}×{height} pixels, {padded} when padded to multiples of {stride}, more than {limit}"

    def _check_prefixes(self) -> None:
        quantizer = self.autoencoder.quantizer
        if not isinstance(quantizer, PrefixDecodable):
            raise UsageError(
                f"{type(quantizer).__name__} cannot be decoded from its first stages alone: "
                "choose a model of residual VQ, such as cifar10-rvq-16"
            )


def _to_rgb(image: Any, chunks: Chunks) -> tuple[UInt8[np.ndarray, "H W 3"], Chunks]:
    """The pixels of an image, and its chunks: a greyscale image is marked as one."""
    pixels = to_pixels(image)
    if pixels.ndim == 3:
        return pixels, chunks
    return np.repeat(pixels[..., None], 3, 2), {Kind.GREY: b"", **chunks}
