"""The models that come with the package."""

from pathlib import Path
from typing import Any

import torch

from vqvae.codec import Codec
from vqvae.errors import ModelFileError, UnknownModelError
from vqvae.formats import Container, ModelId, unpack
from vqvae.formats.vqa.reader import Header
from vqvae.media.images import MAX_PIXELS
from vqvae.models.file import load_codec, read_id

FOLDER = Path(__file__).parent / "weights"
SMALL_IMAGES, PHOTOGRAPHS = "cifar10-rvq-16", "photo"
SMALL = 64 * 64  # pixels


def shipped_models() -> dict[str, Path]:
    """Each shipped model's file, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def find_model(name: str) -> Path:
    """The file of a model given by the name of a shipped one or by a path.

    Raises:
        ModelFileError: neither a shipped model nor a file.
    """
    shipped = shipped_models()
    if name in shipped:
        return shipped[name]
    if not Path(name).is_file():
        raise ModelFileError(f"{name}: neither a file nor a shipped model ({', '.join(shipped)})")
    return Path(name)


def default_model(pixels: int, many_rates: bool = False) -> Path:
    """The file of the model that suits an image best.

    Args:
        pixels: how many the image has.
        many_rates: whether a rate shall be chosen, which not all models allow.
    """
    return find_model(SMALL_IMAGES if pixels <= SMALL and not many_rates else PHOTOGRAPHS)


class ModelStore:
    """The models that come with the package, and others given by path; loads each of them once.

    Args:
        device: where to compute.
        max_pixels: compressed files that claim larger images are refused.
    """

    def __init__(self, device: torch.device | str = "cpu", max_pixels: int = MAX_PIXELS):
        self.device = torch.device(device)
        self.max_pixels = max_pixels
        self._codecs: dict[Path, Codec] = {}
        self._paths: dict[ModelId, Path] = {}

    def load(self, model: str | Path) -> Codec:
        """The codec of a model given by the name of a shipped one or by a path.

        Raises:
            ModelFileError: there is no such model, or it is damaged.
        """
        path = find_model(str(model))
        if path not in self._codecs:
            self._codecs[path] = load_codec(path, self.max_pixels).to(self.device)
        return self._codecs[path]

    def unpack(self, data: bytes, stages: int | None = None) -> Container:
        """Reads a compressed file that one of the shipped models made, as `formats.unpack` does.

        Raises:
            UnknownModelError: none of them made it.
            BitstreamError: the file is foreign, truncated or corrupt.
        """
        return unpack(data, self.paths, stages)

    def find(self, model_id: ModelId) -> Path:
        """The file of the shipped model that has this id."""
        return self.paths[model_id]

    def find_of_archive(self, header: Header) -> Path:
        """The file of the shipped model that made an archive.

        Raises:
            UnknownModelError: none did.
        """
        for model_id, path in self.paths.items():
            if header.is_of(model_id):
                return path
        raise UnknownModelError(
            f"made with a model that is not shipped (its id begins with {header.model_hint.hex()}): "
            "name its file with --model"
        )

    @property
    def paths(self) -> dict[ModelId, Path]:
        """Each shipped model's file, by its id."""
        if not self._paths:
            self._paths = {read_id(path): path for path in shipped_models().values()}
        return self._paths

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_codecs": {}}
