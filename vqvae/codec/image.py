"""Images ↔ the bytes of files."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8

from vqvae.backend.dispatch import Backend, Compiled
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.index_coder import IndexCoder
from vqvae.codec.inputs import check_batch, to_pixels
from vqvae.codec.rate_code import LEVELS, add_rate, rate_of, split_rate
from vqvae.codec.rate_control import (
    LambdaRange,
    TypicalBits,
    allows_rdo,
    rdo_quantize,
    rdo_quantize_layers,
    search_quality,
)
from vqvae.codec.refinement import Track, refine, steps_of
from vqvae.codec.transform import ImageTransform
from vqvae.entropy import EntropyModel, LayeredEntropyModel
from vqvae.errors import BitstreamError, ConfigError, ImageError, UsageError
from vqvae.formats import Chunks, Coded, Container, Kind, ModelId, pack, unpack
from vqvae.formats.chunks import NOTHING
from vqvae.media.images import MAX_PIXELS
from vqvae.quantizers import PrefixDecodable, ProductResidualVQ

DEFAULT_QUALITY = 50.0
"""Of variable-rate models, where none is given."""

PADDED_LIMIT = 2
"""Times the limit on an image's pixels that its padding to the networks' stride may take it to."""


class Alike(NamedTuple):
    """What coded images have in common that are decoded together.

    Attributes:
        rate: from 0 to 255, where the networks take one.
        sections: their number.
    """

    rate: int | None
    sections: int


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
        typical_bits: of indices chosen by λ, for entropy models with layers.

    Raises:
        ConfigError: there is a range of λ, but the quantiser cannot weigh bits against distortion, or the layers of the
            entropy model are not the stages of the quantiser.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        entropy_model: EntropyModel,
        model_id: ModelId,
        max_pixels: int = MAX_PIXELS,
        lambda_range: LambdaRange | None = None,
        backend: Backend | None = None,
        typical_bits: TypicalBits | None = None,
    ):
        quantizer = autoencoder.quantizer
        if lambda_range and not allows_rdo(quantizer, entropy_model):
            raise ConfigError(
                f"{type(quantizer).__name__} cannot weigh bits against distortion, but the model has qualities: "
                "leave them out, or take product_vq with codebook_bits as the quantiser"
            )
        layers = quantizer.prefixes if isinstance(quantizer, PrefixDecodable) else None
        if isinstance(entropy_model, LayeredEntropyModel) and entropy_model.layers != layers:
            raise ConfigError(
                f"the entropy model's layers end with {entropy_model.layers} indices, but the quantiser's stages with "
                f"{layers}: set entropy.layers to the number of stages"
            )
        self.autoencoder = autoencoder
        self.entropy_model = entropy_model
        self.transform = ImageTransform(autoencoder)
        self.index_coder = IndexCoder(entropy_model, quantizer.index_sizes, layers)
        self.model_id = model_id
        self.max_pixels = max_pixels
        self.lambda_range = lambda_range
        self.typical_bits = typical_bits
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
        self,
        image: Any,
        *,
        quality: float | None = None,
        progressive: bool = False,
        chunks: Chunks = NOTHING,
        effort: int = 0,
        track: Track = iter,
    ) -> bytes:
        """The file for an image.

        Args:
            image: a uint8 array or tensor (H, W, 3) or (H, W), a Pillow image of mode RGB or L, or a path.
            quality: from 0 to 100, of a variable-rate model; by default 50.
            progressive: whether the file may be cut after any stage.
            chunks: metadata to store in the file, as `media.metadata_chunks.to_chunks` makes it.
            effort: from 0 to 9, of a variable-rate model that chooses by λ: how long to search for better indices.
            track: iterates over the steps of that search, and may show progress or end it.

        Raises:
            UsageError: the image is of another type or shape or empty; the model has one rate, or the quality is out of
                range, or the effort; or the quantiser cannot decode its first stages alone.
        """
        pixels, chunks = _to_rgb(image, chunks)
        (coded,) = self.compress_batch(pixels[None], progressive, quality, effort, track)
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
        self,
        images: UInt8[np.ndarray, "n H W 3"],
        progressive: bool = False,
        quality: float | None = None,
        effort: int = 0,
        track: Track = iter,
    ) -> list[Coded]:
        """The coded indices of images of one size; arguments and errors are those of `compress`."""
        if progressive:
            self._check_prefixes()
        check_batch(images)
        height, width = images.shape[1:3]
        if self._padded_pixels(height, width) > PADDED_LIMIT * self.max_pixels:
            raise ImageError(self._too_large(height, width) + ": cut it up first")
        with self.backend.coding(len(images) * prod(self.transform.grid(height, width))):
            if not (steps := steps_of(effort)):
                return self._code(self.indices(images, quality), progressive, quality)
            if self.lambda_range is None:
                raise UsageError("this model has nothing to weigh bits by: leave the effort out")
            refined = [self._refine(image[None], self._checked(quality), track(range(steps))) for image in images]
            return [self._code(indices, progressive, quality)[0] for indices in refined]

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
        groups = self._alike(coded)
        decoded: dict[int, UInt8[np.ndarray, "H W 3"]] = {}
        for alike, numbers in groups.items():
            indices = self.decode_indices([coded[number] for number in numbers], height, width, stages)
            images = self.transform.synthesis(indices, height, width, _relative(alike.rate))
            if len(groups) == 1:
                return images
            decoded |= zip(numbers, images, strict=True)
        return np.stack([decoded[number] for number in range(len(coded))])

    @torch.inference_mode()
    def indices(
        self, images: UInt8[np.ndarray, "n H W 3"], quality: float | None = None
    ) -> Int64[np.ndarray, "n h w M"]:
        """The indices of images of one size: the nearest, or of a variable-rate model those of least D + λ · bits.

        Raises:
            UsageError: there is a quality, but the model has one rate; or it is out of range.
        """
        quality = self._checked(quality)
        rate = _relative(self._rate(quality))
        if self.lambda_range is None:
            return self.transform.nearest(images, rate)
        return self._choose(self.transform.analysis(images, rate), quality)

    def decode_indices(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> Int64[np.ndarray, "n h w m"]:
        """The indices of images that are all of this size: those of the first `stages`, or as many as there are.

        Raises:
            BitstreamError: they are damaged, too large, or coded by another kind of entropy model.
            UsageError: there are more of some images than of others, so that they are no one array.
        """
        self._check_size(height, width)
        grid, decoded = self.transform.grid(height, width), [np.empty(0, np.int64)] * len(coded)
        with self.backend.coding(len(coded) * prod(grid)):
            for alike, numbers in self._alike(coded).items():
                bare = [split_rate(coded[n]).coded if self.transform.takes_rate else coded[n] for n in numbers]
                for number, indices in zip(
                    numbers, self.index_coder.at_rate(alike.rate).decode(bare, grid, stages), strict=True
                ):
                    decoded[number] = indices
        if len({indices.shape for indices in decoded}) > 1:
            raise UsageError("these images have different numbers of stages: decode them one by one, or fewer stages")
        return np.stack(decoded)

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
        quantizer, model, lmbda = self.autoencoder.quantizer, self.entropy_model, self.lambda_range.lmbda(quality)
        if not isinstance(model, LayeredEntropyModel):
            return rdo_quantize(bands, quantizer, model, lmbda)
        assert isinstance(quantizer, ProductResidualVQ)
        rate, layers = rate_of(quality), self.lambda_range.layers(quality)
        typical = None if self.typical_bits is None else self.typical_bits.at_rate(rate)
        vectors = np.concatenate(list(bands), 1)
        return rdo_quantize_layers(vectors, quantizer, model.at_rate(rate), lmbda, layers, typical)

    def _refine(
        self, image: UInt8[np.ndarray, "1 H W 3"], quality: float, steps: Iterable[int]
    ) -> Int64[np.ndarray, "1 h w m"]:
        assert self.lambda_range is not None
        rate = self._rate(quality)
        vectors = np.concatenate(list(self.transform.analysis(image, _relative(rate))), 1)
        coder, lmbda = self.index_coder.at_rate(rate), self.lambda_range.lmbda(quality)
        return refine(
            self.transform,
            image,
            vectors,
            lambda latents: self._choose([latents], quality),
            lambda indices: float(coder.entropy_model.bits(indices)[0]),
            lmbda,
            _relative(rate),
            steps,
        )

    def _rate(self, quality: float) -> int | None:
        return rate_of(quality) if self.transform.takes_rate else None

    def _alike(self, coded: Sequence[Coded]) -> dict["Alike", list[int]]:
        """The numbers of those that are decoded together."""
        groups: dict[Alike, list[int]] = {}
        for number, one in enumerate(coded):
            rate = split_rate(one).rate if self.transform.takes_rate else None
            groups.setdefault(Alike(rate, len(one.sections)), []).append(number)
        return groups

    def _code(self, indices: Int64[np.ndarray, "n h w M"], progressive: bool, quality: float | None) -> list[Coded]:
        rate = self._rate(self._checked(quality))
        coded = self.index_coder.at_rate(rate).encode(indices, progressive)
        return coded if rate is None else [add_rate(one, rate) for one in coded]

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


def _relative(rate: int | None) -> float | None:
    """As networks take it: from 0 to 1."""
    return None if rate is None else rate / LEVELS


def _to_rgb(image: Any, chunks: Chunks) -> tuple[UInt8[np.ndarray, "H W 3"], Chunks]:
    """The pixels of an image, and its chunks: a greyscale image is marked as one."""
    pixels = to_pixels(image)
    if pixels.ndim == 3:
        return pixels, chunks
    return np.repeat(pixels[..., None], 3, 2), {Kind.GREY: b"", **chunks}
