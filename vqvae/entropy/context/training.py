"""Trains the context model: gradients pass through the rounding, so that the network learns to do well as integers."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from vqvae.entropy.context.network import (
    FIRST_SHIFT,
    LARGEST_ACTIVATION,
    LIMITS,
    NEIGHBOURS,
    REACH,
    SECOND_SHIFT,
    THIRD_SHIFT,
)

# Binary digits behind the point of each table's integers; the shifts between the layers go with them
DIGITS = {
    "embedding": 6,
    "near": 7,
    "own": 7,
    "first_bias": 13,
    "second": 7,
    "second_bias": 11,
    "third": 5,
    "third_bias": 9,
}
ACTIVATION_DIGITS = DIGITS["first_bias"] - FIRST_SHIFT
PROGRESSIVE = 0.1  # share of the batches where neighbours are known up to the stage itself alone
assert DIGITS["second_bias"] - SECOND_SHIFT == ACTIVATION_DIGITS and DIGITS["third_bias"] - THIRD_SHIFT == 5


class TrainedNetwork(nn.Module):
    """The network with parameters in floating point, rounded as they are used.

    Args:
        tables: as `empty_tables` has them. Where they are not empty, the training goes on from them.
        parts: what each index adds to a vector's value; the embeddings of a new network begin as these.
    """

    def __init__(self, tables: Mapping[str, Tensor], parts: Float[Tensor, "M K D"]):
        super().__init__()
        _, self.size, _ = parts.shape
        _, dim, first = tables["own"].shape
        second = tables["second"].shape[2]
        self.tables = nn.ParameterDict({name: tables[name] / 2.0**digits for name, digits in DIGITS.items()})
        if not tables["embedding"].any():
            for name, inputs in {"near": len(NEIGHBOURS) * dim, "own": dim, "second": first, "third": second}.items():
                nn.init.uniform_(self.tables[name], -(inputs**-0.5), inputs**-0.5)
            self.tables["embedding"].data[:, : self.size] = _start(parts, dim)

    def rounded(self, name: str) -> Tensor:
        """A table as it will be kept, in real units; its gradient is that of the unrounded one."""
        table, scale = self.tables[name], 2.0 ** DIGITS[name]
        return _as_if(table, self.integers(name).to(table.dtype) / scale)

    @torch.no_grad()
    def integers(self, name: str) -> Tensor:
        """A table as it will be kept."""
        limit = LIMITS.get(name, 127)
        return (self.tables[name] * 2.0 ** DIGITS[name]).round().clamp(-limit, limit)

    def forward(
        self, indices: Int64[Tensor, "n h w M"], visible: int, stages: slice = slice(None)
    ) -> Float[Tensor, "m n h w K"]:
        """The logits of some stages, in bits.

        Args:
            indices: what is to be predicted, and its context.
            visible: how many stages of the neighbours are known.
            stages: which stages to predict.
        """
        own, second, third = (self.rounded(name)[stages] for name in ("own", "second", "third"))
        biases = (self.rounded(f"{name}_bias")[stages].unsqueeze(1) for name in ("first", "second", "third"))
        first_bias, second_bias, third_bias = biases
        embedding, near = self.rounded("embedding"), self.rounded("near").flatten(0, 1)
        here = self._embed(indices, embedding).flatten(0, 2).transpose(0, 1)  # M v E
        before = F.pad(here, (0, 0, 0, 0, 1, 0)).cumsum(0)[:-1][stages]
        total = self._around(indices, visible, embedding).flatten(0, 2) @ near + before @ own + first_bias
        logits = _activate(_activate(total) @ second + second_bias) @ third + third_bias
        return logits.unflatten(1, indices.shape[:3])

    def _around(
        self, indices: Int64[Tensor, "n h w M"], visible: int, embedding: Float[Tensor, "M _ E"]
    ) -> Float[Tensor, "n h w F"]:
        """The embeddings of the neighbours, side by side."""
        _, height, width, stages = indices.shape
        known = torch.where(torch.arange(stages, device=indices.device) < visible, indices, self.size + 1)
        grid = F.pad(known, (0, 0, REACH, REACH, REACH, REACH), value=self.size)
        values = self._embed(grid, embedding).sum(3)
        return torch.cat(
            [
                values[:, REACH + down : REACH + down + height, REACH + right : REACH + right + width]
                for down, right in NEIGHBOURS
            ],
            -1,
        )

    def _embed(
        self, indices: Int64[Tensor, "n h w M"], embedding: Float[Tensor, "M _ E"]
    ) -> Float[Tensor, "n h w M E"]:
        offsets = torch.arange(len(embedding), device=indices.device) * (self.size + 2)
        return F.embedding(indices + offsets, embedding.flatten(0, 1))


def train(
    tables: Mapping[str, Tensor],
    indices: Integer[Tensor, "n h w M"],
    parts: Float[Tensor, "M K D"],
    steps: int,
    batch: int,
    learning_rate: float,
    track: Callable[[Sequence[int]], Iterable[int]],
) -> dict[str, Tensor]:
    """Learns the tables by gradient descent, with a one-cycle schedule.

    Args:
        tables: to begin with.
        indices: of images like those to come.
        parts: what each index adds to a vector's value.
        steps: of training.
        batch: vectors in each of them, about.
        learning_rate: the highest.
        track: goes through the steps, and may show how far it is.

    Returns:
        the tables, by name.
    """
    number, height, width, stages = indices.shape
    network = TrainedNetwork(tables, parts)
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    images = max(1, batch // (height * width))
    for _ in track(range(steps)):
        drawn = indices[torch.randint(number, (images,))].long()
        alone = int(torch.randint(stages, ())) if torch.rand(()) < PROGRESSIVE else None
        wanted = slice(None) if alone is None else slice(alone, alone + 1)
        logits = network(drawn, stages if alone is None else alone + 1, wanted)
        nats = F.cross_entropy(logits.flatten(0, 3) * math.log(2), drawn[..., wanted].movedim(3, 0).flatten())
        optimizer.zero_grad()
        (nats * len(logits)).backward()
        optimizer.step()
        schedule.step()
    return {name: network.integers(name).to(tables[name].dtype) for name in DIGITS}


def _as_if(value: Tensor, rounded: Tensor) -> Tensor:
    """The rounded values, with the gradient of those before."""
    return value + (rounded - value).detach()


def _activate(values: Tensor) -> Tensor:
    """As the integers do it: rounded down, and from 0 to 255 in units of the last digit."""
    scale = 2.0**ACTIVATION_DIGITS
    clipped = values.clamp(0, LARGEST_ACTIVATION / scale)
    return _as_if(clipped, (clipped * scale).floor() / scale)


def _start(parts: Float[Tensor, "M K D"], dim: int) -> Float[Tensor, "M K dim"]:
    """The parts with unit variance, turned so that their first coordinates tell most, and cut or filled up to `dim`."""
    flat = (parts - parts.mean(1, keepdim=True)).float().cpu().flatten(0, 1)
    turned = flat @ torch.linalg.svd(flat, full_matrices=False).Vh.T
    scaled = F.pad(turned / flat.std().clamp(min=1e-9), (0, max(0, dim - turned.shape[1])))
    return scaled[:, :dim].unflatten(0, parts.shape[:2])
