"""VQ image compression: train vector-quantised autoencoders, and compress real files with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqvae.bulk.files import compress_file as compress_file
    from vqvae.bulk.files import compress_picture as compress_picture
    from vqvae.bulk.files import decompress_file as decompress_file
    from vqvae.bulk.files import decompress_picture as decompress_picture
    from vqvae.media.images import Picture as Picture
    from vqvae.media.images import read_picture as read_picture
    from vqvae.media.images import write_picture as write_picture
    from vqvae.models.store import ModelStore as ModelStore
    from vqvae.models.store import load as load

__version__ = "0.1.0"

_PUBLIC = {
    **dict.fromkeys(("load", "ModelStore"), "vqvae.models.store"),
    **dict.fromkeys(("compress_file", "compress_picture", "decompress_file", "decompress_picture"), "vqvae.bulk.files"),
    **dict.fromkeys(("Picture", "read_picture", "write_picture"), "vqvae.media.images"),
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: PyTorch takes a second to load."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vqvae' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PUBLIC[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
