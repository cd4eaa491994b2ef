"""Which model an image or a file is given to."""

from pathlib import Path

from vqvae.backend.dispatch import Backend
from vqvae.codec import ImageCodec
from vqvae.models.store import ModelStore


class Models(ModelStore):
    """The models of a command, as `ModelStore` has them.

    Args:
        model: a shipped model's name or a model file; None for those that suit.
        device: where to compute.
        max_pixels: files that claim larger images are refused; None for Pillow's limit.
        quality: from 0 to 100, of a variable-rate model.
        many_rates: whether only variable-rate models suit; they do where there is a quality.
        backend: chooses between compiled and plain code.

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
        backend: Backend | None = None,
    ):
        super().__init__(model, device, max_pixels, many_rates or quality is not None, backend)
        self._quality = quality
        self.preload()

    def codec(self, path: Path) -> ImageCodec:
        """The codec of a model file."""
        codec = super().codec(path)
        if self._quality is not None:
            codec.quality = self._quality
        return codec
