"""Checks of the contents of a model file, before anything is built from it."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import torch
from torch import Tensor

from vqvae.errors import ConfigError

LARGEST_INTEGER = 2**31 - 1
MAX_LENGTH = 256  # of lists, names and texts
DTYPES = frozenset(
    {
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    }
)


def check_arguments(component: type, arguments: Mapping[str, Any]) -> None:
    """Checks the arguments of a constructor against its annotations: a file may contain anything.

    Raises:
        ConfigError: an argument is not a finite value of its type, or too large.
    """
    parameters = inspect.signature(component).parameters
    for name, value in arguments.items():
        if name in parameters:
            _check_value(name, value, parameters[name].annotation)


def _check_value(name: str, value: Any, kind: Any) -> None:
    if isinstance(value, list | tuple):
        if len(value) > MAX_LENGTH:
            raise ConfigError(f"{name} has {len(value)} entries, but may have {MAX_LENGTH} at most")
        inner = next(iter(get_args(kind)), Any) if get_origin(kind) in (list, tuple, Sequence) else Any
        for one in value:
            _check_value(f"an entry of {name}", one, inner)
    elif kind is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ConfigError(f"{name} is {_short(value)}, but must be an integer")
    elif kind is float and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ConfigError(f"{name} is {_short(value)}, but must be a number")
    elif isinstance(value, int | float) and not abs(value) <= LARGEST_INTEGER:  # true for NaN, too
        raise ConfigError(f"{name} is {_short(value)}, but must be from {-LARGEST_INTEGER} to {LARGEST_INTEGER}")
    elif isinstance(value, str | Mapping) and len(value) > MAX_LENGTH:
        raise ConfigError(f"{name} has {len(value)} characters or entries, but may have {MAX_LENGTH} at most")


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Checks the tensors of a model.

    Raises:
        ConfigError: a tensor has an unsupported dtype, or elements that are not finite.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ConfigError(f"{_short(name)} is of type {kind}, but must hold real numbers or integers")
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise ConfigError(f"{_short(name)} holds a number that is not finite: the training has diverged")


def check_shapes(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Compares the tensors of a config with those in the file.

    Raises:
        ConfigError: one is missing, unknown, or of another shape.
    """
    for name in expected:
        if name not in tensors:
            raise ConfigError(f"{name} is missing")
    for name, tensor in tensors.items():
        if name not in expected:
            raise ConfigError(f"{_short(name)} belongs to no part of the model")
        if tensor.shape != expected[name].shape:
            shapes = f"{list(tensor.shape)}, but its config says {list(expected[name].shape)}"
            raise ConfigError(f"{name} has shape {shapes}")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "an integer of very many digits"
    return text if len(text) <= 100 else text[:100] + " …"
