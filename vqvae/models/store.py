"""Where models are found: those bundled with the package by name or by the ids in files, others by path."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from vqvae.codec import Codec
from vqvae.errors import ModelFileError, VqvaeError
from vqvae.formats import Container, unpack
from vqvae.formats.vqa.reader import Archive
from vqvae.media.images import MAX_PIXELS
from vqvae.models.file import load_codec, read_model

FOLDER = Path(__file__).parent / "weights"
SMALL_IMAGES, PHOTOGRAPHS = "cifar10-rvq-16", "photo"
SMALL = 64 * 64  # pixels


def shipped_models() -> dict[str, Path]:
    """Each bundled model's file, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def find_model(name: str | Path) -> Path:
    """The file of a model given by the name of a bundled one or by a path.

    Raises:
        ModelFileError: neither a bundled model nor a file.
    """
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    if not Path(name).is_file():
        raise ModelFileError(f"{name}: neither a file nor a shipped model ({', '.join(shipped)})")
    return Path(name)


def default_model(pixels: int, variable_rate: bool = False) -> Path:
    """The file of the bundled model that suits an image best.

    Args:
        pixels: number of pixels of the image.
        variable_rate: whether the rate is going to be chosen, which only variable-rate models allow.
    """
    return find_model(SMALL_IMAGES if pixels <= SMALL and not variable_rate else PHOTOGRAPHS)


def find_model_of(fingerprint: bytes) -> Path:
    """The bundled model one of whose fingerprints begins like this.

    Raises:
        ModelFileError: none does.
    """
    for path in shipped_models().values():
        if any(own.startswith(fingerprint) for own in read_model(path).fingerprints):
            return path
    raise ModelFileError(
        f"made with a model that is not shipped (fingerprint {fingerprint.hex()}): name its file with --model"
    )


def load(model: str | Path, device: torch.device | str = "cpu") -> Codec:
    """The codec of a model.

    Args:
        model: the name of a bundled model, such as `photo`, or the path of a model file.
        device: where its networks compute.

    Raises:
        ModelFileError: there is no such model, or its file is damaged.
        VqvaeError: there is no such device.
    """
    return ModelStore(device=device).codec(find_model(model))


class ModelStore:
    """Codecs by what they are needed for; each is loaded when it is first asked for, and kept.

    A store may be pickled: the copy loads its codecs itself.

    Args:
        model: the name of a bundled model or the path of a model file, used for everything; None for the bundled
            models, of which each image gets the one that suits it and each file the one that made it.
        device: where the networks compute.
        max_pixels: compressed files that claim larger images are refused; None for Pillow's limit.
        variable_rate: whether images are given to variable-rate models alone, so that a quality can be chosen.

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
    ):
        self.device = _checked(device)
        self.max_pixels = max_pixels or MAX_PIXELS
        self.variable_rate = variable_rate
        self.model = None if model is None else find_model(model)
        self._codecs: dict[Path, Codec] = {}
        self._found: dict[bytes, Path] = {}  # by fingerprint: finding one reads all bundled models

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_codecs": {}, "_found": {}}

    def codec(self, path: Path) -> Codec:
        """The codec of a model file.

        Raises:
            ModelFileError: the file is not there, damaged, or not one of ours.
            UsageError: a quality is going to be chosen, but the model has one rate.
        """
        if path not in self._codecs:
            codec = load_codec(path, self.max_pixels)
            if self.variable_rate:
                codec.check_rates()
            self._codecs[path] = codec.to(self.device)
        return self._codecs[path]

    def preload(self) -> "ModelStore":
        """Loads the given model, if there is one, so that what is wrong with it is told at once; returns the store."""
        if self.model:
            self.codec(self.model)
        return self

    def path_for(self, image: UInt8[np.ndarray, "H W 3"]) -> Path:
        """The model file for an image."""
        return self.model or default_model(image[..., 0].size, self.variable_rate)

    def path_for_all(self, images: Iterable[Callable[[], UInt8[np.ndarray, "H W 3"]]]) -> Path:
        """The model file for several images, each given by what loads it: the one for the first that can be loaded."""
        if self.model:
            return self.model
        for load_image in images:
            with suppress(Exception):  # whoever needs the image meets the error again
                return self.path_for(load_image())
        return default_model(0, self.variable_rate)

    def for_image(self, image: UInt8[np.ndarray, "H W 3"]) -> Codec:
        """The codec to compress an image with."""
        return self.codec(self.path_for(image))

    def for_fingerprint(self, fingerprint: bytes) -> Codec:
        """The codec of the model with a fingerprint that begins like this; the given one, if there is one.

        Raises:
            ModelFileError: no bundled model made it.
        """
        if self.model is None and fingerprint not in self._found:
            self._found[fingerprint] = find_model_of(fingerprint)
        return self.codec(self.model or self._found[fingerprint])

    def for_archive(self, archive: Archive) -> Codec:
        """The codec of an archive.

        Raises:
            ModelFileError: no bundled model made it.
            BitstreamError: the given model did not make it.
        """
        codec = self.for_fingerprint(archive.fingerprint)
        archive.check_model(codec.fingerprints.whole)
        return codec

    def unpack(self, data: bytes, stages: int | None = None) -> tuple[Codec, Container]:
        """The codec of a .vqz file, and what the file holds.

        Args:
            data: the file's bytes.
            stages: of a progressive file, read the first stages only.

        Raises:
            ModelFileError: no bundled model made it.
            BitstreamError: it is foreign, truncated, corrupt, or made with another model than the given one.
        """
        container = unpack(data, stages)
        codec = self.for_fingerprint(container.fingerprint)
        codec.check_model(container)
        return codec, container


def _checked(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise VqvaeError(f"--device {device}: {str(error).splitlines()[0]}") from None
