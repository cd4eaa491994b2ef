"""The id of a model: a digest of what decoding depends on, and of nothing else."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vqvae.formats.model_id import ModelId
from vqvae.models.registry import ALIASES, decoding_config

DECODER, QUANTIZER, ENTROPY = "autoencoder.decoder.", "autoencoder.quantizer.", "entropy."
"""How the names of tensors begin, by the component that they belong to."""

PREFIXES = {"decoder": DECODER, "quantizer": QUANTIZER, "entropy": ENTROPY}
EARLIER_PATHS = {name: path for path, name in ALIASES.items()}
EARLIER_UNIFORM = {"_target_": "uniform"}


def identify(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ModelId:
    """The id of a model, without aliases.

    Moving a class, another encoder, and settings of search, training and quality leave it as it is.

    Args:
        config: of `decoder`, `quantizer` and `entropy`, as model files have it.
        tensors: by name, as model files have them.

    Raises:
        ConfigError: a component is not registered.
    """
    return ModelId(_digest(config, tensors, *PREFIXES), _digest(config, tensors, "decoder", "quantizer"))


def _digest(config: Mapping[str, Any], tensors: Mapping[str, Tensor], *parts: str) -> bytes:
    structure = {part: decoding_config(config[part]) for part in parts if part in config}
    digest = hashlib.sha256(_json(structure))
    for name, tensor in sorted(tensors.items()):
        if name.startswith(tuple(PREFIXES[part] for part in parts)):
            digest.update(_json([name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]))
            digest.update(_bytes(tensor))
    return digest.digest()


def inherited_aliases(made: ModelId, origin: ModelId) -> tuple[tuple[bytes, bytes], ...]:
    """The aliases of a model that was made from another one: those of files that both decode alike.

    Args:
        made: the id of the model.
        origin: the id of the model that it was made from.
    """
    if made.whole == origin.whole:
        return origin.aliases
    if made.weights == origin.weights:  # another entropy model: files of fixed width alone
        return tuple((made.whole, weights) for _, weights in origin.aliases)
    return ()


def earlier_id(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> tuple[bytes, bytes]:
    """The id that files of versions 1 to 3, and archives of their time, have of a model: of all that its file held."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(ENTROPY)}
    return _earlier_digest(config, tensors), _earlier_digest({**config, "entropy": EARLIER_UNIFORM}, weights)


def _earlier_digest(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    spelled = {part: _with_earlier_path(value) for part, value in config.items()}
    return digest_tensors(tensors, json.dumps(spelled, sort_keys=True).encode())


def digest_tensors(tensors: Mapping[str, Tensor], start: bytes = b"") -> bytes:
    """The SHA-256 of some bytes and of all tensors: of their names, dtypes, shapes and elements."""
    digest = hashlib.sha256(start)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(_bytes(tensor))
    return digest.digest()


def _with_earlier_path(part: Any) -> Any:
    """The config of a component with the path that its class had before components had names."""
    path = EARLIER_PATHS.get(str(part.get("_target_"))) if isinstance(part, Mapping) else None
    return {**part, "_target_": path} if path else part


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
