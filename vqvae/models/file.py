"""One model in one safetensors file: weights, coding tables, and the plain config that says how to build it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vqvae.codec import Codec, Fingerprints
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.rate_control import Qualities
from vqvae.entropy import EntropyModel
from vqvae.errors import ModelFileError
from vqvae.media.atomic import atomic_path
from vqvae.media.images import MAX_PIXELS
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.registry import ALIASES, build
from vqvae.quantizers import Quantizer

FORMAT = 1
KEY = "vqvae"  # one metadata entry, so that equal models are equal files
TABLES = "entropy."  # what the names of coding tables begin with, ...
QUANTIZER = "autoencoder.quantizer."  # ... and those of codebooks
UNIFORM = {"_target_": "uniform"}
HASHED_PATHS = {name: path for path, name in ALIASES.items()}  # fingerprints are older than registered names


class ModelFile(NamedTuple):
    """What a model file holds.

    Attributes:
        config: what `build_autoencoder` and `build_entropy_model` build the model from.
        tensors: weights, in half precision, and coding tables.
        about: anything else worth keeping: how it was trained, what it reached. Decoding does not depend on it.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    about: dict[str, Any]

    @property
    def fingerprints(self) -> Fingerprints:
        """32 bytes that change with anything that decoding depends on; and with anything but the coding tables."""
        weights = {name: tensor for name, tensor in self.tensors.items() if not name.startswith(TABLES)}
        return Fingerprints(_digest(self.config, self.tensors), _digest({**self.config, "entropy": UNIFORM}, weights))


def _digest(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    spelled = {part: _with_hashed_path(value) for part, value in config.items()}
    digest = hashlib.sha256(json.dumps(spelled, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.digest()


def _with_hashed_path(part: Any) -> Any:
    """The config of a component as fingerprints spell it, so that a name and its alias are the same model."""
    path = HASHED_PATHS.get(str(part.get("_target_"))) if isinstance(part, Mapping) else None
    return {**part, "_target_": path} if path else part


def round_to_half(module: nn.Module) -> None:
    """Rounds the weights, in place, to what the model file keeps of them."""
    for parameter in module.parameters():
        parameter.data = parameter.data.half().to(parameter.dtype)


def save_model(
    path: Path,
    config: Mapping[str, Any],
    autoencoder: AutoEncoder,
    entropy_model: EntropyModel,
    about: Mapping[str, Any],
) -> None:
    """Writes a model file; weights in half precision.

    Args:
        path: the file, there whole or not at all.
        config: what the two modules were built from: `encoder`, `quantizer`, `decoder`, `entropy`.
        autoencoder: its weights are stored.
        entropy_model: its tables are stored.
        about: anything else worth keeping.
    """
    tensors = _parts(autoencoder, entropy_model).state_dict()
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    _write(path, config, halves, about)


def save_quantizer(path: Path, config: Mapping[str, Any], quantizer: Quantizer, about: Mapping[str, Any]) -> None:
    """Writes the file of a quantiser alone; codebooks as they are, without loss.

    Args:
        path: the file, there whole or not at all.
        config: what the quantiser was built from.
        quantizer: its codebooks are stored.
        about: anything else worth keeping.
    """
    _write(path, {"quantizer": config}, quantizer.state_dict(prefix=QUANTIZER), about)


def _write(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    kept = {
        name: tensor.cpu().contiguous()
        for name, tensor in tensors.items()
        if not name.startswith(f"{QUANTIZER}estimator.")  # of use in training alone
    }
    header = json.dumps({"format": FORMAT, "config": config, "about": about}, sort_keys=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(kept, {KEY: header}))


def read_model(path: Path) -> ModelFile:
    """Reads a model file, without building anything.

    Raises:
        ModelFileError: it is not there, damaged, or not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such model file") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a model file, or damaged ({error})") from None
    if not isinstance(header, dict) or not isinstance(header.get("config"), dict):
        raise ModelFileError(f"{path}: a safetensors file, but not a model of this program")
    if header.get("format") != FORMAT:
        raise ModelFileError(f"{path}: model format {header.get('format')}, but this program reads format {FORMAT}")
    return ModelFile(header["config"], tensors, header.get("about") or {})


def load_codec(path: Path, max_pixels: int = MAX_PIXELS) -> Codec:
    """The codec of a model file.

    Args:
        path: the file.
        max_pixels: compressed files that claim larger images are refused.

    Raises:
        ModelFileError: the file is not there, damaged, or not one of ours.
    """
    model = read_model(path)
    with _fitting(path):
        with torch.device("meta"):  # takes no memory, whatever sizes the config claims
            autoencoder = build_autoencoder(model.config)
            entropy_model = build_entropy_model(model.config.get("entropy") or {}, autoencoder)
            parts = _parts(autoencoder, entropy_model)
        floats = {n: t.float() if t.is_floating_point() else t for n, t in model.tensors.items()}
        parts.load_state_dict(floats, assign=True)
        entropy_model.check()
        given = model.config.get("qualities")
        qualities = None if given is None else Qualities.from_config(given)
    return Codec(autoencoder, entropy_model, model.fingerprints, max_pixels, qualities)


def load_quantizer(path: Path) -> Quantizer:
    """The quantiser of a model file, be it alone there or between networks; in evaluation mode.

    Raises:
        ModelFileError: the file is not there, damaged, or not one of ours.
    """
    model = read_model(path)
    codebooks = {n.removeprefix(QUANTIZER): t.float() for n, t in model.tensors.items() if n.startswith(QUANTIZER)}
    config = model.config.get("quantizer")
    with _fitting(path):
        with torch.device("meta"):
            quantizer = build(config if isinstance(config, Mapping) else {}, Quantizer)
        quantizer.load_state_dict(codebooks, assign=True)
    return quantizer.eval()


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """What is built and does not fit is the file's fault."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: its config and its weights do not make a model ({reason})") from None


def _parts(autoencoder: AutoEncoder, entropy_model: EntropyModel) -> nn.ModuleDict:
    return nn.ModuleDict({"autoencoder": autoencoder, "entropy": entropy_model})
