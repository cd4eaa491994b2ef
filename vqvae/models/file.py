"""One model in one safetensors file: weights, coding tables, and the config to build it from."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vqvae.backend.dispatch import Backend
from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.rate_control import LambdaRange, TypicalBits
from vqvae.entropy import EntropyModel
from vqvae.errors import ModelFileError, reason_of
from vqvae.formats import ModelId
from vqvae.media.atomic import atomic_path
from vqvae.media.images import MAX_PIXELS
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.checks import check_shapes, check_tensors
from vqvae.models.identity import QUANTIZER, earlier_id, identify, inherited_aliases
from vqvae.models.registry import build
from vqvae.quantizers import Quantizer

FORMAT = 1
KEY = "vqvae"  # one metadata entry, so that equal models are equal files
TYPICAL_BITS = "typical_bits"
DIGEST_BYTES = 32


class ModelFile(NamedTuple):
    """The contents of a model file.

    Attributes:
        config: what `build_autoencoder` and `build_entropy_model` build the model from.
        tensors: weights, in half precision, and coding tables.
        about: notes: how it was trained, its figures. Decoding does not depend on it.
        stored_id: the model's id, as stored; None in older files.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    about: dict[str, Any]
    stored_id: ModelId | None = None

    @property
    def model_id(self) -> ModelId:
        """The model's id, with its aliases, computed from config and tensors."""
        aliases = self.stored_id.aliases if self.stored_id else (earlier_id(self.config, self.tensors),)
        return identify(self.config, self.tensors)._replace(aliases=aliases)


def round_to_half(module: nn.Module) -> None:
    """Rounds the weights, in place, to half precision, as in the model file."""
    for parameter in module.parameters():
        parameter.data = parameter.data.half().to(parameter.dtype)


def save_model(
    path: Path,
    config: Mapping[str, Any],
    autoencoder: AutoEncoder,
    entropy_model: EntropyModel,
    about: Mapping[str, Any],
    origin: ModelId | None = None,
    typical_bits: TypicalBits | None = None,
) -> None:
    """Writes a model file; weights in half precision.

    Args:
        path: the file, written atomically.
        config: what the two modules were built from: `encoder`, `quantizer`, `decoder`, `entropy`.
        autoencoder: its weights are stored.
        entropy_model: its tables are stored.
        about: notes on the training.
        origin: the id of the model that this one was made from, whose files it reads where it decodes them alike.
        typical_bits: of use to the encoder of a variable-rate model with layers.
    """
    tensors = _parts(autoencoder, entropy_model, typical_bits).state_dict()
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    kept = _without_estimator(halves)
    model_id = identify(config, kept)
    if origin:
        model_id = model_id._replace(aliases=inherited_aliases(model_id, origin))
    write_model(path, {"config": config, "about": about, "id": _id_to_json(model_id)}, kept)


def save_quantizer(path: Path, config: Mapping[str, Any], quantizer: Quantizer, about: Mapping[str, Any]) -> None:
    """Writes the file of a quantiser alone; codebooks as they are, without loss.

    Args:
        path: the file, written atomically.
        config: what the quantiser was built from.
        quantizer: its codebooks are stored.
        about: notes on the training.
    """
    tensors = _without_estimator(quantizer.state_dict(prefix=QUANTIZER))
    write_model(path, {"config": {"quantizer": config}, "about": about}, tensors)


def _without_estimator(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a file keeps: the estimator is of use in training alone."""
    return {
        name: tensor.cpu().contiguous()
        for name, tensor in tensors.items()
        if not name.startswith(f"{QUANTIZER}estimator.")
    }


def write_model(path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a model file atomically, with a header of `config` and `about`, perhaps `id`."""
    packed = json.dumps({"format": FORMAT, **header}, sort_keys=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(dict(tensors), {KEY: packed}))


def read_model(path: Path) -> ModelFile:
    """Reads a model file, without building anything.

    Raises:
        ModelFileError: it is missing, damaged, or not a model of this program.
    """
    with _opened(path) as file:
        header = _read_header(path, file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return ModelFile(header["config"], tensors, header.get("about") or {}, _id_from_json(path, header.get("id")))


def read_config(path: Path) -> dict[str, Any]:
    """The config of a model file; reads no tensors.

    Raises:
        ModelFileError: the file is not there, damaged, or not one of ours.
    """
    with _opened(path) as file:
        return _read_header(path, file)["config"]


def read_id(path: Path) -> ModelId:
    """The stored id of a model file, without reading tensors; computed in older files, which have none.

    Raises:
        ModelFileError: the file is missing, damaged, or not a model of this program.
    """
    with _opened(path) as file:
        stored = _id_from_json(path, _read_header(path, file).get("id"))
    return stored or read_model(path).model_id


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such model file") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a model file, or damaged ({error})") from None


def _read_header(path: Path, file: Any) -> dict[str, Any]:
    header = json.loads((file.metadata() or {}).get(KEY, "null"))
    if not isinstance(header, dict) or not isinstance(header.get("config"), dict):
        raise ModelFileError(f"{path}: a safetensors file, but not a model of this program")
    if header.get("format") != FORMAT:
        raise ModelFileError(f"{path}: model format {header.get('format')}, but this program reads format {FORMAT}")
    return header


def _id_to_json(model_id: ModelId) -> dict[str, Any]:
    whole, weights, aliases = model_id
    pairs = [{"whole": one.hex(), "weights": other.hex()} for one, other in aliases]
    return {"whole": whole.hex(), "weights": weights.hex(), "aliases": pairs}


def _id_from_json(path: Path, stored: Any) -> ModelId | None:
    if stored is None:
        return None
    try:
        pairs = [(bytes.fromhex(one["whole"]), bytes.fromhex(one["weights"])) for one in (stored, *stored["aliases"])]
    except (TypeError, KeyError, ValueError):
        raise ModelFileError(f"{path}: damaged: the model's id is not two digests and a list of aliases") from None
    if any(len(digest) != DIGEST_BYTES for pair in pairs for digest in pair):
        raise ModelFileError(f"{path}: damaged: a digest in the model's id does not have {DIGEST_BYTES} bytes")
    return ModelId(*pairs[0], tuple(pairs[1:]))


def load_codec(path: Path, max_pixels: int = MAX_PIXELS, backend: Backend | None = None) -> ImageCodec:
    """The codec of a model file.

    Args:
        path: the file.
        max_pixels: compressed files that claim larger images are refused.
        backend: chooses between compiled and plain code.

    Raises:
        ModelFileError: the file is missing, damaged, or not a model of this program.
    """
    model = read_model(path)
    if "encoder" not in model.config:
        raise ModelFileError(f"{path}: a model of this program, but not for images: choose another --model")
    with fitting(path):
        check_tensors(model.tensors)
        with torch.device("meta"):  # takes no memory, whatever sizes the config claims
            autoencoder = build_autoencoder(model.config)
            entropy_model = build_entropy_model(model.config.get("entropy"), autoencoder)
            bits = model.tensors.get(f"{TYPICAL_BITS}.bits")
            typical_bits = None if bits is None else TypicalBits(torch.empty(bits.shape))
        _load(_parts(autoencoder, entropy_model, typical_bits), model.tensors)
        entropy_model.check()
        given = model.config.get("qualities")
        lambda_range = None if given is None else LambdaRange.from_config(given)
        codec = ImageCodec(autoencoder, entropy_model, model.model_id, max_pixels, lambda_range, backend, typical_bits)
    if model.stored_id not in (None, codec.model_id):
        raise ModelFileError(f"{path}: damaged: its stored id is not that of its weights and its config")
    return codec


def load_quantizer(path: Path) -> Quantizer:
    """The quantiser of a model file, be it alone there or between networks; in evaluation mode.

    Raises:
        ModelFileError: the file is missing, damaged, or not a model of this program.
    """
    model = read_model(path)
    codebooks = {n.removeprefix(QUANTIZER): t for n, t in model.tensors.items() if n.startswith(QUANTIZER)}
    config = model.config.get("quantizer")
    with fitting(path):
        check_tensors(codebooks)
        with torch.device("meta"):
            quantizer = build(config if isinstance(config, Mapping) else {}, Quantizer)
        _load(quantizer, codebooks)
    return quantizer.eval()


def _load(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives a module, built without memory, the tensors of a file; computes in single precision."""
    check_shapes(module.state_dict(), tensors)
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    module.load_state_dict(floats, assign=True)


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Turns any exception of building a model into an error of its file, which may contain anything."""
    try:
        yield
    except Exception as error:
        raise ModelFileError(f"{path}: its config and its weights do not make a model ({reason_of(error)})") from None


def _parts(autoencoder: AutoEncoder, entropy_model: EntropyModel, typical_bits: TypicalBits | None) -> nn.ModuleDict:
    parts = nn.ModuleDict({"autoencoder": autoencoder, "entropy": entropy_model})
    if typical_bits is not None:
        parts[TYPICAL_BITS] = typical_bits
    return parts
