"""Checks of the vectors that a quantiser is given."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from vqvae.errors import NotFiniteError


def check_finite(x: Shaped[Tensor, "n D"]) -> None:
    """Raises NotFiniteError, naming the first vector that holds NaN or infinity. Waits for the device of x."""
    # A sum is NaN or infinite if any element is, and takes no memory; it may overflow, too, so look closer then
    if not x.is_floating_point() or x.is_meta or bool(x.sum(dtype=torch.float32).isfinite()):
        return
    bad = ~x.isfinite().all(1)
    number = int(bad.sum())
    if number:
        first = int(bad.int().argmax())
        raise NotFiniteError(
            f"vector {first} (of {len(x)}, {number} like it) holds NaN or infinity: remove such vectors, or find where "
            "they come from, for instance a learning rate that is too high"
        )


def flatten(x: Shaped[Tensor, "..."], dim: int, channel_dim: int, name: str) -> Shaped[Tensor, "n D"]:
    """The vectors along `channel_dim` as rows.

    Raises:
        ValueError: x is a scalar, has no such axis, or its size is not `dim`.
    """
    if not -x.dim() <= channel_dim < x.dim():
        raise ValueError(f"input has shape {tuple(x.shape)}, but this {name} has channel_dim={channel_dim}")
    if x.shape[channel_dim] != dim:
        raise ValueError(f"vectors have dimension {x.shape[channel_dim]}, but this {name} has dim={dim}")
    return x.movedim(channel_dim, -1).reshape(-1, dim)
