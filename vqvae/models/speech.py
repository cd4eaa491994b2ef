"""A speech model in one safetensors file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqvae.errors import ModelFileError
from vqvae.models.file import fitting, read_model, write_model
from vqvae.models.identity import digest_tensors
from vqvae.models.registry import build
from vqvae.quantizers import CodebookQuantizer
from vqvae.speech.codec import SpeechCodec, SpeechModel
from vqvae.speech.envelope import OCTAVE, BandMaps
from vqvae.speech.mdct import FRAME
from vqvae.speech.tables import Tables, check_tables

SPEECH = "speech"  # in a config, what is not the quantiser's


def save_speech(path: Path, quantizer: Mapping[str, Any], model: SpeechModel, about: Mapping[str, Any]) -> None:
    """Writes a model file: integers alone.

    Args:
        path: the file, there whole or not at all.
        quantizer: config of the quantiser.
        model: the model; its codebooks are multiples of 1/256.
        about: anything else worth keeping.
    """
    config = {"quantizer": quantizer, SPEECH: {"rounding": model.rounding}}
    write_model(path, {"config": config, "about": about}, _to_tensors(model))


def load_speech(path: Path) -> SpeechCodec:
    """The codec of a model file.

    Raises:
        ModelFileError: the file is not there, damaged, or not of a speech model.
    """
    file = read_model(path)
    settings = file.config.get(SPEECH)
    if not isinstance(settings, Mapping):
        raise ModelFileError(f"{path}: a model of this program, but not for speech: choose another --model")
    with fitting(path):
        try:
            model = _from_tensors(file.config.get("quantizer") or {}, float(settings["rounding"]), file.tensors)
        except KeyError as error:
            raise ValueError(f"without its {error}") from None
        # Decoding depends on all tensors, and on nothing of the config
        return SpeechCodec(model, digest_tensors(file.tensors))


def _to_tensors(model: SpeechModel) -> dict[str, Tensor]:
    arrays = {f"maps.{name}": array for name, array in model.maps._asdict().items()}
    arrays |= {f"tables.{name}": array for name, array in model.tables._asdict().items()}
    arrays |= {"mean": model.mean.astype(np.int16), "edges": model.edges.astype(np.int16)}
    codebooks = (model.quantizer.codebooks.detach().cpu() * OCTAVE).round().to(torch.int16)
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()} | {
        "codebooks": codebooks.contiguous()
    }


def _from_tensors(config: Mapping[str, Any], rounding: float, tensors: Mapping[str, Tensor]) -> SpeechModel:
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    with torch.device("meta"):  # takes no memory, whatever sizes the config claims
        quantizer = build(config, CodebookQuantizer)
    codebooks = tensors["codebooks"].float() / OCTAVE
    if codebooks.shape != quantizer.codebooks.shape:
        raise ValueError(f"codebooks have shape {list(codebooks.shape)}, not {list(quantizer.codebooks.shape)}")
    quantizer.codebooks = torch.nn.Parameter(codebooks, requires_grad=False)
    maps = BandMaps(*(arrays[f"maps.{name}"] for name in BandMaps._fields))
    tables = Tables(*(arrays[f"tables.{name}"] for name in Tables._fields))
    mean, edges = arrays["mean"].astype(np.int64), arrays["edges"].astype(np.int64)
    _check(quantizer, mean, edges, maps)
    check_tables(tables, quantizer.stages, quantizer.codebook_size)
    return SpeechModel(quantizer.eval(), mean, edges, maps, tables, rounding)


def _check(quantizer: CodebookQuantizer, mean: np.ndarray, edges: np.ndarray, maps: BandMaps) -> None:
    bands = quantizer.dim
    shapes = (mean.shape, maps.interpolation.shape, maps.weighting.shape, maps.offset.shape)
    if shapes != ((bands,), (bands, FRAME), (bands, FRAME), (FRAME,)):
        raise ValueError(f"the shapes of mean and maps are {shapes}, which do not fit {bands} bands")
    if any(array.dtype != np.int16 for array in maps):
        raise ValueError("the maps are not of 16-bit integers")
    if edges.shape != (bands + 1,) or edges[0] != 0 or edges[-1] != FRAME or (np.diff(edges) < 1).any():
        raise ValueError(f"the edges of bands do not rise from 0 to {FRAME}")
