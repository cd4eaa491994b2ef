"""A model's parts from its config."""

from collections.abc import Mapping
from typing import Any

from vqvae.codec.autoencoder import AutoEncoder
from vqvae.entropy import EntropyModel
from vqvae.errors import ConfigError
from vqvae.models.registry import build
from vqvae.networks import Decoder, Encoder
from vqvae.quantizers import Quantizer


def build_autoencoder(config: Mapping[str, Any]) -> AutoEncoder:
    """Builds an autoencoder from the configs under `encoder`, `quantizer` and `decoder`.

    Raises:
        ConfigError: a config is missing or does not describe a registered component of its kind, or the components do
            not fit together.
    """
    for part in ("encoder", "quantizer", "decoder"):
        if not isinstance(config.get(part), Mapping):
            raise ConfigError(f"the model's config has no {part!r}")
    return AutoEncoder(
        build(config["encoder"], Encoder), build(config["quantizer"], Quantizer), build(config["decoder"], Decoder)
    )


def build_entropy_model(config: Any, autoencoder: AutoEncoder) -> EntropyModel:
    """Builds the entropy model for the indices of an autoencoder.

    Args:
        config: as under `entropy` of a model's config.
        autoencoder: whose quantiser says how many indices of how many bits there are.

    Raises:
        ConfigError: the config does not describe a registered entropy model.
    """
    if not isinstance(config, Mapping):
        raise ConfigError("the model's config has no 'entropy'")
    sizes = {"stages": autoencoder.quantizer.num_indices, "index_bits": autoencoder.quantizer.index_bits}
    return build({**config, **sizes}, EntropyModel)
