"""Plain configs to objects: `{"_target_": "vqvae.quantizers.residual.ResidualVQ", "dim": 64, …}`.

Hydra's form, but without Hydra, and for our own classes alone: a model file may come from anywhere, so what it
names is looked up and never run otherwise.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from vqvae.errors import ConfigError

T = TypeVar("T")
PACKAGES = ("vqvae.quantizers.", "vqvae.networks.", "vqvae.coding.")


def build(config: Mapping[str, Any], kind: type[T]) -> T:
    """Makes the object that a config describes.

    Args:
        config: `_target_`, the full name of a class in one of our packages, and the arguments of its constructor.
        kind: what the class must be.

    Raises:
        ConfigError: the target is none of our classes, or not of this kind, or refuses its arguments.
    """
    target = str(config.get("_target_"))
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    found = _find_class(target, kind)
    try:
        return found(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{target}: {error}") from error


def _find_class(target: str, kind: type[T]) -> type[T]:
    module, _, name = target.rpartition(".")
    if module.startswith(PACKAGES):
        try:
            found = getattr(import_module(module), name, None)
        except ImportError:
            found = None
        if isinstance(found, type) and issubclass(found, kind) and found.__module__ == module:
            return found
    raise ConfigError(f"_target_ is {target!r}, but must name a {kind.__name__} in one of {', '.join(PACKAGES)[:-1]}")
