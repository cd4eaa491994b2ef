"""A model's parts from its config."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from vqvae.codec.autoencoder import AutoEncoder
from vqvae.entropy import EntropyModel
from vqvae.errors import ConfigError
from vqvae.models.registry import build
from vqvae.quantizers import Quantizer


def build_autoencoder(config: Mapping[str, Any]) -> AutoEncoder:
    """Builds an autoencoder from the configs under `encoder`, `quantizer` and `decoder`.

    Raises:
        ConfigError: a config is missing, or does not describe a registered component of its kind.
    """
    for part in ("encoder", "quantizer", "decoder"):
        if not isinstance(config.get(part), Mapping):
            raise ConfigError(f"the model's config has no {part!r}")
    encoder = build(config["encoder"], nn.Module)
    if not isinstance(getattr(encoder, "stride", None), int):
        raise ConfigError(f"{type(encoder).__name__} is no encoder: it has no stride")
    return AutoEncoder(encoder, build(config["quantizer"], Quantizer), build(config["decoder"], nn.Module))


def build_entropy_model(config: Mapping[str, Any], autoencoder: AutoEncoder) -> EntropyModel:
    """Builds the entropy model for the indices of an autoencoder.

    Raises:
        ConfigError: the config does not describe a registered entropy model.
    """
    sizes = {"stages": autoencoder.quantizer.num_indices, "index_bits": autoencoder.quantizer.index_bits}
    return build({**config, **sizes}, EntropyModel)
