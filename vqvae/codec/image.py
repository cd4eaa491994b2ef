"""Images ↔ the bytes of files."""

from collections.abc import Callable, Iterable, Sequence
from math import inf, log10, prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from vqvae.backend.dispatch import Backend, Compiled
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.index_coder import IndexCoder
from vqvae.codec.inputs import check_batch, to_pixels
from vqvae.codec.limits import SizeLimit
from vqvae.codec.quality_search import quality_for_bpp, quality_for_psnr
from vqvae.codec.rate_code import rate_of, relative_rate
from vqvae.codec.rate_control import IndexChooser, LambdaRange, TypicalBits
from vqvae.codec.refinement import refine, steps_of
from vqvae.codec.transform import ImageTransform
from vqvae.entropy import EntropyModel, LayeredEntropyModel
from vqvae.entropy.base import Track
from vqvae.errors import ConfigError, UsageError
from vqvae.formats import Chunks, Coded, Container, Kind, ModelId, pack, unpack
from vqvae.formats.chunks import NOTHING
from vqvae.media.images import MAX_PIXELS
from vqvae.quantizers import PrefixDecodable

DEFAULT_QUALITY = 50.0
"""Of variable-rate models, where none is given."""


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
        typical_bits: of indices chosen by λ.

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
        layers = quantizer.prefixes if isinstance(quantizer, PrefixDecodable) else None
        if isinstance(entropy_model, LayeredEntropyModel) and entropy_model.layers != layers:
            raise ConfigError(
                f"the entropy model's layers end with {entropy_model.layers} indices, but the quantiser's stages with "
                f"{layers}: set entropy.layers to the number of stages"
            )
        self.autoencoder = autoencoder
        self.entropy_model = entropy_model
        self.transform = ImageTransform(autoencoder)
        self.index_coder = IndexCoder(entropy_model, quantizer.index_sizes, layers, self.transform.takes_rate)
        self.model_id = model_id
        self.size_limit = SizeLimit(max_pixels, self.transform)
        self.chooser = IndexChooser(quantizer, entropy_model, lambda_range, typical_bits) if lambda_range else None
        self.backend = backend or Compiled()

    @property
    def stages(self) -> int:
        """Number of stages that can be decoded one after the other; 1 where the quantiser has no prefixes."""
        return len(self.index_coder.layers)

    @property
    def variable_rate(self) -> bool:
        """Whether a quality can be chosen."""
        return self.chooser is not None or self.transform.takes_rate

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
        self.size_limit.check_image(height, width)
        with self.backend.coding(len(images) * prod(self.transform.grid(height, width))):
            if not (steps := steps_of(effort)):
                return self._code(self.indices(images, quality), progressive, quality)
            if self.chooser is None:
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
        groups = self.index_coder.alike(coded)
        decoded: dict[int, UInt8[np.ndarray, "H W 3"]] = {}
        for alike, numbers in groups.items():
            indices = self.decode_indices([coded[number] for number in numbers], height, width, stages)
            images = self.transform.synthesis(indices, height, width, relative_rate(alike.rate))
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
        rate = relative_rate(self._rate(quality))
        if self.chooser is None:
            return self.transform.nearest(images, rate)
        return self.chooser.at_quality(quality).choose(self.transform.analysis(images, rate))

    def decode_indices(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> Int64[np.ndarray, "n h w m"]:
        """The indices of images that are all of this size: those of the first `stages`, or as many as there are.

        Raises:
            BitstreamError: they are damaged, too large, or coded by another kind of entropy model.
            UsageError: there are more of some images than of others, so that they are no one array.
        """
        self.size_limit.check_claim(height, width)
        grid = self.transform.grid(height, width)
        with self.backend.coding(len(coded) * prod(grid)):
            return self.index_coder.decode(coded, grid, stages)

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
        indices_at = self._indices_at(pixels)

        def bpp_at(quality: float) -> float:
            (coded,) = self._code(indices_at(quality), False, quality)
            return 8 * len(self.pack(coded, height, width, chunks)) / (height * width)

        return quality_for_bpp(bpp_at, bpp)

    def quality_for_psnr(self, image: Any, psnr: float) -> float:
        """The lowest quality found at which an image has this PSNR.

        Args:
            image: as `compress` takes it.
            psnr: of the decoded 8-bit pixels, in dB.

        Raises:
            UsageError: even quality 100 has less, or the model has one rate.
        """
        self.check_variable_rate()
        pixels, _ = _to_rgb(image, NOTHING)
        height, width, _ = pixels.shape
        indices_at = self._indices_at(pixels)

        def psnr_at(quality: float) -> float:
            rate = relative_rate(self._rate(quality))
            with torch.inference_mode():
                decoded = self.transform.synthesis(indices_at(quality), height, width, rate)[0]
            error = np.square(decoded.astype(np.float64) - pixels).mean()
            return 10 * log10(255**2 / error) if error else inf

        return quality_for_psnr(psnr_at, psnr)

    def _indices_at(self, pixels: UInt8[np.ndarray, "H W 3"]) -> Callable[[float], Int64[np.ndarray, "1 h w m"]]:
        """The indices of an image at any quality; networks that do not take a rate run once."""
        vectors, grid = [], prod(self.transform.grid(*pixels.shape[:2]))
        if not self.transform.takes_rate:
            with torch.inference_mode():
                vectors = list(self.transform.analysis(pixels[None]))

        def at(quality: float) -> Int64[np.ndarray, "1 h w m"]:
            with self.backend.coding(grid):
                if self.chooser and vectors:
                    return self.chooser.at_quality(quality).choose(vectors)
                return self.indices(pixels[None], quality)

        return at

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

    def _refine(
        self, image: UInt8[np.ndarray, "1 H W 3"], quality: float, steps: Iterable[int]
    ) -> Int64[np.ndarray, "1 h w m"]:
        assert self.chooser is not None
        rate = relative_rate(self._rate(quality))
        vectors = np.concatenate(list(self.transform.analysis(image, rate)), 1)
        return refine(self.transform, image, vectors, self.chooser.at_quality(quality), rate, steps)

    def _rate(self, quality: float) -> int | None:
        return rate_of(quality) if self.transform.takes_rate else None

    def _code(self, indices: Int64[np.ndarray, "n h w m"], progressive: bool, quality: float | None) -> list[Coded]:
        return self.index_coder.encode(indices, progressive, self._rate(self._checked(quality)))

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
