"""Images to bytes and back."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from vqvae.backend.cold_start import expect
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.rate_control import Qualities
from vqvae.codec.tiling import TiledAutoEncoder
from vqvae.entropy import EntropyModel, Uniform
from vqvae.errors import BitstreamError, ImageError, UsageError
from vqvae.formats import Chunks, Coded, Container, pack, unpack
from vqvae.formats.chunks import NOTHING
from vqvae.formats.vqz import FINGERPRINT_BYTES
from vqvae.media.images import MAX_PIXELS
from vqvae.quantizers import CodebookQuantizer, PrefixDecodable

QUALITY = 50.0

PADDED_LIMIT = 2
"""Times the limit on an image's pixels that its padding to the network's stride may take it to."""

QUALITY_HALVINGS = 8
"""Files that a search for a quality makes: it ends within 100 / 2^8."""


class Fingerprints(NamedTuple):
    """What tells a model's files from those of others, 32 bytes each; a file begins with some of them.

    Attributes:
        whole: of weights and coding tables.
        weights: of the weights alone, as if the entropy model were uniform: for files that need no tables.
    """

    whole: bytes
    weights: bytes

    def of(self, entropy_code: int) -> bytes:
        """What a file coded by this kind of entropy model begins with: fixed width, code 0, needs no tables."""
        return (self.whole if entropy_code else self.weights)[:FINGERPRINT_BYTES]


class Codec:
    """Compresses 8-bit RGB images of any size with one model.

    Args:
        autoencoder: the network; set to evaluation here.
        entropy_model: codes its indices, or else fixed width does, where that is shorter.
        fingerprints: tell files of this model from those of others.
        max_pixels: files that claim larger images are refused.
        qualities: the rates that may be chosen, where there are many.
    """

    def __init__(
        self,
        autoencoder: AutoEncoder,
        entropy_model: EntropyModel,
        fingerprints: Fingerprints,
        max_pixels: int = MAX_PIXELS,
        qualities: Qualities | None = None,
    ):
        self.autoencoder = autoencoder
        self.networks = TiledAutoEncoder(autoencoder)
        self.entropy_model = entropy_model
        self.fixed_width = Uniform(entropy_model.stages, entropy_model.index_bits)
        self.fingerprints = fingerprints
        self.max_pixels = max_pixels
        self.qualities = qualities
        self.quality = QUALITY
        """What is taken where no quality is given."""

    def to(self, device: torch.device | str) -> "Codec":
        """Moves the network to a device, and returns the codec itself."""
        self.autoencoder.to(device)
        return self

    def compress(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        progressive: bool = False,
        chunks: Chunks = NOTHING,
        quality: float | None = None,
    ) -> bytes:
        """The file for an image.

        Args:
            image: the pixels.
            progressive: whether the file may be cut after any stage.
            chunks: what else the file shall hold, as `picture.to_chunks` makes it.
            quality: from 0 to 100, of a model with many rates.
        """
        height, width, _ = image.shape
        return self.pack(self.encode(image[None], progressive, quality)[0], height, width, chunks)

    def pack(self, coded: Coded, height: int, width: int, chunks: Chunks = NOTHING) -> bytes:
        """The file for the coded indices of an image of this size."""
        return pack(Container(width, height, self.fingerprints.of(coded.entropy_code), coded, chunks))

    def quality_for(self, image: UInt8[np.ndarray, "H W 3"], bpp: float, chunks: Chunks = NOTHING) -> float:
        """The highest quality at which the file of an image has no more bits per pixel.

        Args:
            image: the pixels.
            bpp: bits per pixel.
            chunks: what else the file shall hold.

        Raises:
            UsageError: even quality 0 takes more, or the model has one rate.
        """
        lowest, highest, most = 0.0, 100.0, bpp * image[..., 0].size / 8
        least = self._size(image, lowest, chunks)
        if least > most:
            needed = 8 * least / image[..., 0].size
            raise UsageError(f"{bpp:g} bpp cannot be reached: quality 0 takes {needed:.3f} bpp here")
        if self._size(image, highest, chunks) <= most:
            return highest
        for _ in range(QUALITY_HALVINGS):
            middle = (lowest + highest) / 2
            if self._size(image, middle, chunks) <= most:
                lowest = middle
            else:
                highest = middle
        return lowest

    def _size(self, image: UInt8[np.ndarray, "H W 3"], quality: float, chunks: Chunks) -> int:
        return len(self.compress(image, chunks=chunks, quality=quality))

    def check_rates(self) -> None:
        """Raises UsageError where the model has one rate, so that there is no quality to choose."""
        if self.qualities is None:
            raise UsageError("this model has one rate: leave the quality out, or choose a model with many rates")

    def decompress(self, data: bytes, stages: int | None = None) -> UInt8[np.ndarray, "H W 3"]:
        """The image of a file.

        Args:
            data: the file's bytes; a progressive file may have been cut after any stage.
            stages: use the first so many stages alone.

        Raises:
            BitstreamError: the file is foreign, truncated, corrupt, or made with another model.
        """
        container = unpack(data, stages)
        self.check_model(container)
        return self.decode([container.coded], container.height, container.width, stages)[0]

    @torch.inference_mode()
    def encode(
        self, images: UInt8[np.ndarray, "n H W 3"], progressive: bool = False, quality: float | None = None
    ) -> list[Coded]:
        """The coded indices of images of one size.

        Args:
            images: the pixels.
            progressive: whether each stage is a section of its own.
            quality: from 0 to 100, of a model with many rates.

        Raises:
            ImageError: the images are too large, padded to the network's stride.
            UsageError: the quantiser cannot decode its first stages alone, or the model has one rate.
        """
        height, width = images.shape[1:3]
        if self._padded_pixels(height, width) > PADDED_LIMIT * MAX_PIXELS:
            raise ImageError(self._too_large(height, width, PADDED_LIMIT * MAX_PIXELS) + ": cut it up first")
        if progressive:
            self._check_prefixes()
        expect(len(images) * prod(self.networks.grid(*images.shape[1:3])))
        indices = self.indices(images, quality)
        coded = _encode(self.entropy_model, indices, progressive)
        least = np.ceil(self.fixed_width.bits(indices) / 8)
        for number in range(len(coded)):
            if coded[number].payload_bytes > least[number]:
                (fixed,) = _encode(self.fixed_width, indices[number : number + 1], progressive)
                coded[number] = min(coded[number], fixed, key=lambda one: one.payload_bytes)
        return coded

    @torch.inference_mode()
    def decode(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, all of this size, of coded indices.

        Raises:
            BitstreamError: the indices are damaged.
            UsageError: the quantiser cannot decode its first stages alone.
        """
        indices = self.decode_indices(coded, height, width, stages)
        if indices.shape[3] < self.entropy_model.stages:
            self._check_prefixes()
        return self.images(indices, height, width)

    @torch.inference_mode()
    def indices(
        self, images: UInt8[np.ndarray, "n H W 3"], quality: float | None = None
    ) -> Int64[np.ndarray, "n h w M"]:
        """The indices of images of one size: the nearest, or those of least distortion + λ · bits.

        Args:
            images: the pixels.
            quality: from 0 to 100, of a model with many rates.

        Raises:
            UsageError: there is a quality, but the model has one rate.
        """
        if quality is not None:
            self.check_rates()
        if self.qualities is None:
            return self.networks.encode(images)
        weight = self.qualities.weight(self.quality if quality is None else quality)
        quantizer = self.autoencoder.quantizer
        assert isinstance(quantizer, CodebookQuantizer)  # product VQ
        codebooks = quantizer.codebooks.detach().cpu().numpy()
        stages = len(codebooks)
        bands = [np.empty((len(images), 0, self.networks.grid(*images.shape[1:3])[1], stages), np.int64)]
        for vectors in self.networks.vectors(images):
            parts = vectors.reshape(*vectors.shape[:3], stages, -1)
            bands.append(self.entropy_model.choose(parts, codebooks, weight, bands[-1]))
        return np.concatenate(bands, 1)

    @torch.inference_mode()
    def images(self, indices: Int64[np.ndarray, "n h w m"], height: int, width: int) -> UInt8[np.ndarray, "n H W 3"]:
        """The images, all of this size, that indices stand for."""
        return self.networks.decode(indices, height, width)

    def decode_indices(
        self, coded: Sequence[Coded], height: int, width: int, stages: int | None = None
    ) -> Int64[np.ndarray, "n h w m"]:
        """The indices of images that are all of this size: the first `stages`, or as many as there are.

        Raises:
            BitstreamError: they are damaged, too large, or coded by another kind of entropy model.
        """
        self._check_size(height, width)
        grid = self.networks.grid(height, width)
        expect(len(coded) * prod(grid))
        most = self.entropy_model.stages if stages is None else stages
        alike: dict[tuple[int, int, bool], list[int]] = {}  # what can be decoded together
        for number, one in enumerate(coded):
            alike.setdefault((one.entropy_code, len(one.sections), one.progressive), []).append(number)
        decoded: dict[int, Int64[np.ndarray, "h w m"]] = {}
        for numbers in alike.values():
            decoded |= zip(numbers, self._decode([coded[number] for number in numbers], grid, most), strict=True)
        return np.stack([decoded[number] for number in range(len(coded))])

    def _decode(self, coded: Sequence[Coded], grid: tuple[int, int], stages: int) -> Int64[np.ndarray, "n h w m"]:
        """The first `stages` indices, or as many as there are, of images that are coded alike."""
        code, sections, progressive = coded[0].entropy_code, len(coded[0].sections), coded[0].progressive
        model = next((known for known in (self.fixed_width, self.entropy_model) if known.code == code), None)
        if model is None:
            raise BitstreamError(f"coded with entropy model {code}, but this model's is {self.entropy_model.code}")
        indices = np.empty((len(coded), *grid, 0), np.int64)
        if not progressive:
            return model.decode([one.sections[0] for one in coded], indices, model.stages)[..., :stages]
        if sections > model.stages:
            raise BitstreamError(f"has {sections} stages, but its model has {model.stages}: the file is damaged")
        for stage in range(min(sections, stages)):
            indices = model.decode([one.sections[stage] for one in coded], indices, stage + 1)
        return indices

    @torch.inference_mode()
    def reconstruct(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """The image as the model itself returns it, without a file in between, and without tiles."""
        return self.networks.reconstruct(image[None])[0]

    def check_model(self, container: Container) -> None:
        """Raises BitstreamError unless this codec's model made the file."""
        expected = self.fingerprints.of(container.coded.entropy_code)
        if container.fingerprint != expected:
            raise BitstreamError(
                f"made with another model: its fingerprint is {container.fingerprint.hex()}, "
                f"this model's {expected.hex()}"
            )

    def _check_size(self, height: int, width: int) -> None:
        """Refuses what is too large, before any time or memory is spent on it."""
        pixels = width * height
        if pixels > self.max_pixels:
            raise BitstreamError(
                f"claims {width}×{height} pixels, more than the limit of {self.max_pixels}: "
                f"raise it with --max-pixels {pixels} if you trust the file"
            )
        if self._padded_pixels(height, width) > PADDED_LIMIT * self.max_pixels:
            raise BitstreamError(
                "claims to be an image that " + self._too_large(height, width, PADDED_LIMIT * self.max_pixels)
            )

    def _padded_pixels(self, height: int, width: int) -> int:
        """Pixels that the networks compute for an image: many more than it has, if it is a few pixels wide."""
        return prod(self.networks.grid(height, width)) * self.autoencoder.stride**2

    def _too_large(self, height: int, width: int, limit: int) -> str:
        padded, stride = self._padded_pixels(height, width), self.autoencoder.stride
        return f"has {width}×{height} pixels, {padded} when padded to multiples of {stride}, more than {limit}"

    def _check_prefixes(self) -> None:
        quantizer = self.autoencoder.quantizer
        if not isinstance(quantizer, PrefixDecodable):
            raise UsageError(
                f"{type(quantizer).__name__} cannot be decoded from its first stages alone: "
                "choose a model of residual VQ, such as cifar10-rvq-16"
            )


def _encode(model: EntropyModel, indices: Int64[np.ndarray, "n h w M"], progressive: bool) -> list[Coded]:
    if not progressive:
        return [Coded(model.code, (payload,)) for payload in model.encode(indices)]
    stages = [model.encode(indices[..., : stage + 1], stage) for stage in range(model.stages)]
    return [Coded(model.code, sections, True) for sections in zip(*stages, strict=True)]
