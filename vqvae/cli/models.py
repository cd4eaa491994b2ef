"""Which model an image or a file is given to."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch

from vqvae.codec import Codec
from vqvae.errors import VqvaeError
from vqvae.formats import Container, unpack
from vqvae.formats.vqa.reader import Header
from vqvae.media.images import MAX_PIXELS
from vqvae.models.file import load_codec
from vqvae.models.store import ModelStore, default_model, find_model


class Models:
    """Codecs, each loaded when it is first needed: of one model, or of the one that suits.

    Args:
        model: a shipped model's name or a model file; None for those that suit.
        device: where to compute.
        max_pixels: files that claim larger images are refused; None for Pillow's limit.
        quality: from 0 to 100, of a model with many rates.
        many_rates: whether only models with many rates suit; they do where there is a quality.

    Raises:
        ModelFileError: there is no such model, or it is damaged.
        UsageError: the model has one rate.
        VqvaeError: there is no such device.
    """

    def __init__(
        self,
        model: str | None,
        device: str,
        max_pixels: int | None = None,
        quality: float | None = None,
        many_rates: bool = False,
    ):
        try:
            self._device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise VqvaeError(f"--device {device}: {str(error).splitlines()[0]}") from None
        self._max_pixels = max_pixels or MAX_PIXELS
        self._quality = quality
        self._many_rates = many_rates or quality is not None
        self._given = find_model(model) if model else None
        self.codec = cache(self._load)
        self._store = ModelStore()
        if self._given:
            self.codec(self._given)

    def for_image(self, image: np.ndarray) -> Codec:
        """The codec for an image (height, width, 3)."""
        return self.codec(self._path(image))

    def unpack(self, data: bytes, stages: int | None = None) -> tuple[Codec, Container]:
        """What a .vqz file holds, and the codec for it.

        Raises:
            UnknownModelError: it was made with none of the models here.
            BitstreamError: it is truncated or corrupt.
        """
        if self._given:
            codec = self.codec(self._given)
            return codec, unpack(data, [codec.model_id], stages)
        container = self._store.unpack(data, stages)
        return self.codec(self._store.find(container.model_id)), container

    def for_archive(self, header: Header) -> Codec:
        """The codec for an archive that begins like this.

        Raises:
            UnknownModelError: none of the models here made it.
        """
        return self.codec(self._given or self._store.find_of_archive(header))

    def for_all(self, images: Iterable[Callable[[], np.ndarray]]) -> Path:
        """The model file for many images: the one for the first that can be loaded."""
        if self._given:
            return self._given
        for load in images:
            with suppress(VqvaeError, OSError):
                return self._path(load())
        return default_model(0, self._many_rates)

    def _path(self, image: np.ndarray) -> Path:
        return self._given or default_model(image[..., 0].size, self._many_rates)

    def _load(self, path: Path) -> Codec:
        codec = load_codec(path, self._max_pixels)
        if self._many_rates:
            codec.check_rates()
        if self._quality is not None:
            codec.quality = self._quality
        return codec.to(self._device)
