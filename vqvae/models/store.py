"""Finding models: bundled ones by name or by the ids in files, others by path."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from jaxtyping import UInt8

from vqvae.backend.dispatch import Backend
from vqvae.codec import ImageCodec
from vqvae.errors import ModelFileError, UnknownModelError, VqvaeError
from vqvae.formats import Container, ModelId, unpack
from vqvae.formats.vqa.reader import Archive
from vqvae.media.images import MAX_PIXELS
from vqvae.models.file import load_codec, read_config, read_id
from vqvae.models.speech import SPEECH, load_speech
from vqvae.speech.codec import SpeechCodec

FOLDER = Path(__file__).parent / "weights"
SMALL_IMAGES, PHOTOGRAPHS = "cifar10-rvq-16", "photo"
SPEECH_FOLDER = FOLDER / "speech"
SMALL = 64 * 64  # pixels
ImageModelName = Literal["photo", "cifar10-rvq-16", "cifar10-avq-16", "cifar10-pvq-16"]


def bundled_models() -> dict[str, Path]:
    """The file of each bundled model for images, by its name."""
    return _models_of(FOLDER)


def bundled_speech_models() -> dict[str, Path]:
    """The file of each bundled model for speech, by its name."""
    return _models_of(SPEECH_FOLDER)


def find_model(name: str | Path) -> Path:
    """The file of a model given by the name of a bundled one, for images or speech, or by a path.

    Raises:
        ModelFileError: neither a bundled model nor a file.
    """
    bundled = bundled_models() | bundled_speech_models()
    path = bundled.get(str(name), Path(name))
    if not path.is_file():
        raise ModelFileError(f"{name}: neither a file nor a bundled model ({', '.join(bundled)})")
    return path


def _models_of(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def default_model(pixels: int, variable_rate: bool = False) -> Path:
    """The file of the default model for an image.

    Args:
        pixels: number of pixels of the image.
        variable_rate: whether a variable-rate model is required, because a rate is requested.
    """
    return find_model(SMALL_IMAGES if pixels <= SMALL and not variable_rate else PHOTOGRAPHS)


@overload
def load(model: Literal["speech"]) -> SpeechCodec: ...
@overload
def load(model: ImageModelName, device: torch.device | str = "cpu") -> ImageCodec: ...
@overload
def load(model: str | Path, device: torch.device | str = "cpu") -> ImageCodec | SpeechCodec: ...
def load(model: str | Path, device: torch.device | str = "cpu") -> ImageCodec | SpeechCodec:
    """The codec of a model.

    Args:
        model: the name of a bundled model, such as `photo` or `speech`, or the path of a model file.
        device: of the networks of an image codec; a speech codec has none.

    Raises:
        ModelFileError: there is no such model, or its file is damaged.
        VqvaeError: there is no such device.
    """
    path = find_model(model)
    if SPEECH in read_config(path):
        return load_speech(path)
    return ModelStore(device=device).codec(path)


class ModelStore:
    """Loads the codecs for images and files, each once.

    A store may be pickled: the copy loads its codecs again.

    Args:
        model: the name of a bundled model or the path of a model file, used for everything; None for the default model
            of each image and the model of each file, among the bundled ones.
        device: of the networks.
        max_pixels: compressed files that claim larger images are refused; None for Pillow's limit.
        variable_rate: whether images need a variable-rate model, because a rate is requested.
        backend: chooses between compiled and plain code, for all codecs of the store.

    Raises:
        ModelFileError: there is no such model.
        VqvaeError: there is no such device.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: torch.device | str = "cpu",
        max_pixels: int | None = None,
        variable_rate: bool = False,
        backend: Backend | None = None,
    ):
        self.backend = backend
        self.device = _checked(device)
        self.max_pixels = max_pixels or MAX_PIXELS
        self.variable_rate = variable_rate
        self.model = None if model is None else find_model(model)
        self._codecs: dict[Path, ImageCodec] = {}
        self._speech: SpeechCodec | None = None
        self._paths: dict[ModelId, Path] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_codecs": {}, "_speech": None}

    def codec(self, path: Path) -> ImageCodec:
        """The codec of a model file.

        Raises:
            ModelFileError: the file is missing, damaged, or not a model of this program.
            UsageError: a rate is requested, but the model has a single rate.
        """
        if path not in self._codecs:
            codec = load_codec(path, self.max_pixels, self.backend)
            if self.variable_rate:
                codec.check_variable_rate()
            self._codecs[path] = codec.to(self.device)
        return self._codecs[path]

    @property
    def speech(self) -> SpeechCodec:
        """The codec for speech: of the given model, or the bundled one.

        Raises:
            ModelFileError: the model's file is damaged, or not for speech.
        """
        if self._speech is None:
            self._speech = load_speech(self.model or find_model(SPEECH))
        return self._speech

    def preload(self) -> "ModelStore":
        """Loads the given model, if any, so that its errors are raised at once; returns the store."""
        if self.model:
            self.codec(self.model)
        return self

    def path_for(self, image: UInt8[np.ndarray, "H W 3"]) -> Path:
        """The model file for an image."""
        return self.model or default_model(image[..., 0].size, self.variable_rate)

    def path_for_all(self, images: Iterable[Callable[[], UInt8[np.ndarray, "H W 3"]]]) -> Path:
        """The model file for images given by functions that load them: that of the first that can be loaded."""
        if self.model:
            return self.model
        for load_image in images:
            with suppress(Exception):  # raised again when the image is needed
                return self.path_for(load_image())
        return default_model(0, self.variable_rate)

    def for_image(self, image: UInt8[np.ndarray, "H W 3"]) -> ImageCodec:
        """The codec to compress an image with."""
        return self.codec(self.path_for(image))

    @property
    def paths(self) -> dict[ModelId, Path]:
        """The known model files, by id."""
        if not self._paths:
            paths = bundled_models().values() if self.model is None else [self.model]
            self._paths = {read_id(path): path for path in paths}
        return self._paths

    def for_archive(self, archive: Archive) -> ImageCodec:
        """The codec of an archive.

        Raises:
            UnknownModelError: none of the models made it.
        """
        return self.codec(self.path_for_archive(archive))

    def path_for_archive(self, archive: Archive) -> Path:
        """The file of the model that made an archive.

        Raises:
            UnknownModelError: none of the models made it.
        """
        for model_id, path in self.paths.items():
            if archive.header.is_of(model_id):
                return path
        hint = archive.header.model_hint.hex()
        known = "that is not bundled" if self.model is None else f"than {self.model}"
        raise UnknownModelError(
            f"{archive.path}: made with another model {known} (its id begins with {hint}): name its file with --model"
        )

    def unpack(self, data: bytes, stages: int | None = None) -> tuple[ImageCodec, Container]:
        """The codec of a .vqz file, and the contents of the file.

        Args:
            data: the file's bytes.
            stages: of a progressive file, read the first stages only.

        Raises:
            UnknownModelError: none of the models made it.
            BitstreamError: it is foreign, truncated or corrupt.
        """
        container = unpack(data, self.paths, stages)
        return self.codec(self.paths[container.model_id]), container


def _checked(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise VqvaeError(f"--device {device}: {str(error).splitlines()[0]}") from None
