"""Components by name: `{"_target_": "residual_vq", "dim": 64, …}` → an object.

Hydra's form, but without Hydra. A model file may come from anywhere, so a config is matched with the components
registered here and nothing else is imported, built or called. Names are written into model files: a name is
permanent, wherever its class moves.
"""

import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

from vqvae.errors import ConfigError, errors_of
from vqvae.models.checks import check_arguments

T = TypeVar("T")

COMPONENTS = {
    "vq": "vqvae.quantizers.vq.VQ",
    "product_vq": "vqvae.quantizers.product.ProductVQ",
    "residual_vq": "vqvae.quantizers.residual.ResidualVQ",
    "additive_vq": "vqvae.quantizers.additive.AdditiveVQ",
    "product_residual_vq": "vqvae.quantizers.product_residual.ProductResidualVQ",
    "fsq": "vqvae.quantizers.fsq.FSQ",
    "lfq": "vqvae.quantizers.lfq.LFQ",
    "simvq": "vqvae.quantizers.simvq.SimVQ",
    "conv_encoder": "vqvae.networks.encoder.ConvEncoder",
    "conv_decoder": "vqvae.networks.decoder.ConvDecoder",
    "lapped_encoder": "vqvae.networks.lapped.LappedEncoder",
    "lapped_decoder": "vqvae.networks.lapped.LappedDecoder",
    "variable_rate_encoder": "vqvae.networks.variable_rate.VariableRateEncoder",
    "variable_rate_decoder": "vqvae.networks.variable_rate.VariableRateDecoder",
    "uniform": "vqvae.entropy.uniform.Uniform",
    "histogram": "vqvae.entropy.histogram.Histogram",
    "context": "vqvae.entropy.context.model.Context",
    "layered_context": "vqvae.entropy.context.layered.LayeredContext",
}
"""Where the class of each registered name is today; imported when it is first built. Installed packages add theirs by
entry points of the group below, `name = "their.module:Class"`; scripts by `register`."""

ENTRY_POINTS = "vqvae.components"

ALIASES = {
    "vqvae.quantizers.vq.VQ": "vq",
    "vqvae.quantizers.product.ProductVQ": "product_vq",
    "vqvae.quantizers.residual.ResidualVQ": "residual_vq",
    "vqvae.quantizers.additive.AdditiveVQ": "additive_vq",
    "vqvae.networks.encoder.ConvEncoder": "conv_encoder",
    "vqvae.networks.decoder.ConvDecoder": "conv_decoder",
    "vqvae.networks.lapped.LappedEncoder": "lapped_encoder",
    "vqvae.networks.lapped.LappedDecoder": "lapped_decoder",
    "vqvae.coding.uniform.Uniform": "uniform",
    "vqvae.coding.histogram.Histogram": "histogram",
    "vqvae.coding.context.Context": "context",
}
"""Names of components in early model files: permanent, and independent of where classes are today."""


def register(name: str, path: str) -> None:
    """Registers a component of another package under a name, which model files then keep.

    Args:
        name: not that of another component.
        path: of its class, as in `their.module.Class`.

    Raises:
        ConfigError: the name is taken.
    """
    if COMPONENTS.setdefault(name, path) != path or name in ALIASES:
        raise ConfigError(f"{name!r} is the registered name of another component: choose another name")


def registered_name(target: object) -> str:
    """The registered name of a component, given that name or an alias.

    Args:
        target: the `_target_` of a config.

    Raises:
        ConfigError: no such component is registered.
    """
    name = ALIASES.get(str(target), str(target))
    if name not in COMPONENTS:
        _register_entry_point(name)
    if name not in COMPONENTS:
        raise ConfigError(f"_target_ is {target!r}, but must be a registered component: {', '.join(COMPONENTS)}")
    return name


def _register_entry_point(name: str) -> None:
    for found in entry_points(group=ENTRY_POINTS, name=name):
        COMPONENTS[name] = found.value.replace(":", ".")


def components(kind: type[T]) -> dict[str, type[T]]:
    """The registered components of a kind by name, those of installed packages included; imports all that it can."""
    for found in entry_points(group=ENTRY_POINTS):
        COMPONENTS.setdefault(found.name, found.value.replace(":", "."))
    classes: dict[str, type[T]] = {}
    for name in COMPONENTS:
        with suppress(ConfigError):
            classes[name] = component(name)
    return {name: found for name, found in classes.items() if inspect.isclass(found) and issubclass(found, kind)}


def component(target: object) -> type:
    """The class of a registered component; imports its module.

    Raises:
        ConfigError: no such component is registered, or it cannot be imported.
    """
    module, _, class_name = COMPONENTS[registered_name(target)].rpartition(".")
    try:
        return getattr(import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{target}: cannot be imported ({error}): install the package that it is part of") from None


def decoding_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decoding depends on in the config of a component: its registered name and its structural arguments.

    Left out are the arguments that the class names in `non_decoding_arguments` and those that equal their defaults, so
    that a class may be given further arguments later.

    Raises:
        ConfigError: the component is not registered.
    """
    kind = component(config.get("_target_"))
    defaults = {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
    ignored: frozenset[str] = getattr(kind, "non_decoding_arguments", frozenset())
    structural = {
        name: value
        for name, value in config.items()
        if name != "_target_" and name not in ignored and _as_json(value) != _as_json(defaults.get(name, ...))
    }
    return {"_target_": registered_name(config.get("_target_")), **structural}


def _as_json(value: Any) -> str:
    """A form in which lists equal tuples; `...` and anything else that JSON does not know equals itself alone."""
    return json.dumps(value, sort_keys=True, default=repr)


def build(config: Mapping[str, Any], kind: type[T]) -> T:
    """Builds the component that a config describes.

    Args:
        config: `_target_`, a component's registered name or an alias, and the arguments of its constructor.
        kind: the class that the component must be a subclass of.

    Raises:
        ConfigError: the component is not registered, is of another kind, or refuses its arguments.
    """
    target = config.get("_target_")
    found = component(target)
    if not issubclass(found, kind):
        raise ConfigError(f"_target_ is {target!r}, but must name a subclass of {kind.__name__}")
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    with errors_of(str(target)):
        check_arguments(found, arguments)
    try:
        return found(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{target}: {error}") from error
