"""Components by name: `{"_target_": "residual_vq", "dim": 64, …}` → an object.

Hydra's form, but without Hydra. A model file may come from anywhere, so a config is matched with the components
registered here and nothing else is imported, built or called. Names are written into model files: once given, a name
keeps its meaning for ever, wherever the code of its class moves.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from vqvae.errors import ConfigError

T = TypeVar("T")

COMPONENTS = {
    "vq": "vqvae.quantizers.vq.VQ",
    "product_vq": "vqvae.quantizers.product.ProductVQ",
    "residual_vq": "vqvae.quantizers.residual.ResidualVQ",
    "additive_vq": "vqvae.quantizers.additive.AdditiveVQ",
    "product_residual_vq": "vqvae.quantizers.product_residual.ProductResidualVQ",
    "conv_encoder": "vqvae.networks.encoder.ConvEncoder",
    "conv_decoder": "vqvae.networks.decoder.ConvDecoder",
    "lapped_encoder": "vqvae.networks.lapped.LappedEncoder",
    "lapped_decoder": "vqvae.networks.lapped.LappedDecoder",
    "uniform": "vqvae.entropy.uniform.Uniform",
    "histogram": "vqvae.entropy.histogram.Histogram",
    "context": "vqvae.entropy.context.model.Context",
}
"""Where the class of each registered name is today; imported when it is first built."""

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
"""What model files called components before they had names: permanent, and independent of where classes are today."""


def registered_name(target: object) -> str:
    """The registered name of a component, given that name or an alias.

    Args:
        target: the `_target_` of a config.

    Raises:
        ConfigError: no such component is registered.
    """
    name = ALIASES.get(str(target), str(target))
    if name not in COMPONENTS:
        raise ConfigError(f"_target_ is {target!r}, but must be a registered component: {', '.join(COMPONENTS)}")
    return name


def build(config: Mapping[str, Any], kind: type[T]) -> T:
    """Builds the component that a config describes.

    Args:
        config: `_target_`, a component's registered name or an alias, and the arguments of its constructor.
        kind: the class that the component must be a subclass of.

    Raises:
        ConfigError: the component is not registered, is of another kind, or refuses its arguments.
    """
    target = config.get("_target_")
    module, _, class_name = COMPONENTS[registered_name(target)].rpartition(".")
    component = getattr(import_module(module), class_name)
    if not issubclass(component, kind):
        raise ConfigError(f"_target_ is {target!r}, but must name a subclass of {kind.__name__}")
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    try:
        return component(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{target}: {error}") from error
