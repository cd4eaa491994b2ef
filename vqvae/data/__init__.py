"""Data modules: images or vectors in batches, for training, validation and test; and sets of vectors to search in.

Each is imported when it is first used: data modules need Lightning and more, sets of vectors and archives do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vqvae.errors import needs_extra

if TYPE_CHECKING:
    from vqvae.data.base import ImageDataModule as ImageDataModule
    from vqvae.data.cifar10 import CIFAR10 as CIFAR10
    from vqvae.data.cifar10 import load_cifar10 as load_cifar10
    from vqvae.data.descriptors import Descriptors as Descriptors
    from vqvae.data.folder import ImageFolder as ImageFolder
    from vqvae.data.gaussian import Autoregressive as Autoregressive
    from vqvae.data.gaussian import LowRank as LowRank
    from vqvae.data.sample import SamplePhotos as SamplePhotos
    from vqvae.data.texmex import VectorSet as VectorSet
    from vqvae.data.texmex import open_set as open_set
    from vqvae.data.texmex import read_vectors as read_vectors
    from vqvae.data.vectors import VectorDataModule as VectorDataModule

_MODULES = {
    "ImageDataModule": "base",
    **dict.fromkeys(("CIFAR10", "load_cifar10"), "cifar10"),
    "Descriptors": "descriptors",
    "ImageFolder": "folder",
    **dict.fromkeys(("Autoregressive", "LowRank"), "gaussian"),
    "SamplePhotos": "sample",
    **dict.fromkeys(("VectorSet", "open_set", "read_vectors"), "texmex"),
    "VectorDataModule": "vectors",
}


def __getattr__(name: str) -> Any:
    """Imports a public name.

    Raises:
        MissingPackageError: it needs a package of the extra `train`, which is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'vqvae.data' has no attribute {name!r}")
    with needs_extra("train"):
        value = globals()[name] = getattr(import_module(f"vqvae.data.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
