"""Trains the context model: gradients pass through the rounding, so that the network learns to do well as integers."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from vqvae.entropy.base import MAX_RATE, Track
from vqvae.entropy.context.conditions import AROUND, CONDITION_LIMITS
from vqvae.entropy.context.network import (
    FIRST_SHIFT,
    LARGEST_ACTIVATION,
    LIMITS,
    NEIGHBOURS,
    Offsets,
    check_neighbours,
)

# Fractional bits of each table's integers. Those of a bias, less the shift after it, are those of the activations: 4,
# and 5 for the logits
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
CONDITION_DIGITS = {"rate": 13, "embedding": 5, "around": 8}
ACTIVATION_DIGITS = DIGITS["first_bias"] - FIRST_SHIFT
PROGRESSIVE = 0.1  # share of the batches where neighbours are known up to the stage itself alone


class RoundedTables(nn.Module):
    """Tables with parameters in floating point, rounded as they are used.

    Args:
        tables: of integers, to begin with.
        digits: fractional bits of the integers of each.
        limits: the largest magnitudes of the integers; 127 for others.
    """

    def __init__(self, tables: Mapping[str, Tensor], digits: Mapping[str, int], limits: Mapping[str, int]):
        super().__init__()
        self.digits, self.limits = digits, limits
        self.tables = nn.ParameterDict({name: tables[name] / 2.0 ** digits[name] for name in digits if name in tables})

    def rounded(self, name: str) -> Tensor:
        """A table as it will be kept, in real units; its gradient is that of the unrounded one."""
        table, scale = self.tables[name], 2.0 ** self.digits[name]
        return _straight_through(table, self.integers(name).to(table.dtype) / scale)

    @torch.no_grad()
    def integers(self, name: str) -> Tensor:
        """A table as it will be kept."""
        limit = self.limits.get(name, 127)
        return (self.tables[name] * 2.0 ** self.digits[name]).round().clamp(-limit, limit)

    def kept(self, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All tables as they will be kept, of the types of those given."""
        return {name: self.integers(name).to(like[name].dtype) for name in self.tables}


class TrainedNetwork(RoundedTables):
    """The network.

    Args:
        tables: as `empty_tables` has them. Where they are not empty, the training goes on from them.
        contributions: what each index adds to a vector's value; the embeddings of a new network begin as these.
        neighbours: where the neighbours are.
    """

    def __init__(
        self,
        tables: Mapping[str, Tensor],
        contributions: Float[Tensor, "M K D"],
        neighbours: Offsets = NEIGHBOURS,
    ):
        super().__init__(tables, DIGITS, LIMITS)
        self.neighbours, self.reach = neighbours, check_neighbours(neighbours)
        _, self.size, _ = contributions.shape
        _, dim, first = tables["own"].shape
        second = tables["second"].shape[2]
        if not tables["embedding"].any():
            for name, inputs in {"near": len(neighbours) * dim, "own": dim, "second": first, "third": second}.items():
                nn.init.uniform_(self.tables[name], -(inputs**-0.5), inputs**-0.5)
            self.tables["embedding"].data[:, : self.size] = _start(contributions, dim)

    def forward(
        self,
        indices: Int64[Tensor, "n h w M"],
        visible: int,
        stages: slice = slice(None),
        added: Float[Tensor, "n h w F"] | None = None,
    ) -> Float[Tensor, "m n h w K"]:
        """The logits of some stages, in bits.

        Args:
            indices: what is to be predicted, and its context.
            visible: how many stages of the neighbours are known.
            stages: which stages to predict.
            added: what conditions add to the first layer.
        """
        own, second, third = (self.rounded(name)[stages] for name in ("own", "second", "third"))
        biases = (self.rounded(f"{name}_bias")[stages].unsqueeze(1) for name in ("first", "second", "third"))
        first_bias, second_bias, third_bias = biases
        embedding, near = self.rounded("embedding"), self.rounded("near").flatten(0, 1)
        own_values = embed(indices, embedding).flatten(0, 2).transpose(0, 1)  # M v E
        before = F.pad(own_values, (0, 0, 0, 0, 1, 0)).cumsum(0)[:-1][stages]
        context = self._around(indices, visible, embedding).flatten(0, 2) @ near
        if added is not None:
            context = context + added.flatten(0, 2)
        total = context + before @ own + first_bias
        logits = _activate(_activate(total) @ second + second_bias) @ third + third_bias
        return logits.unflatten(1, indices.shape[:3])

    def _around(
        self, indices: Int64[Tensor, "n h w M"], visible: int, embedding: Float[Tensor, "M _ E"]
    ) -> Float[Tensor, "n h w F"]:
        """The embeddings of the neighbours, side by side."""
        _, height, width, stages = indices.shape
        known = torch.where(torch.arange(stages, device=indices.device) < visible, indices, self.size + 1)
        reach = self.reach
        grid = F.pad(known, (0, 0, reach, reach, reach, reach), value=self.size)
        values = embed(grid, embedding).sum(3)
        return torch.cat(
            [
                values[:, reach + down : reach + down + height, reach + right : reach + right + width]
                for down, right in self.neighbours
            ],
            -1,
        )


class TrainedConditions(RoundedTables):
    """What conditions add to the first layer.

    Args:
        tables: as `Conditions` has them. Where they are not empty, the training goes on from them.
        contributions: what each earlier index adds to a vector's value; new embeddings begin as these.
    """

    def __init__(self, tables: Mapping[str, Tensor], contributions: Float[Tensor, "j K D"]):
        super().__init__(tables, CONDITION_DIGITS, CONDITION_LIMITS)
        if "embedding" in tables and not tables["embedding"].any():
            dim = tables["embedding"].shape[2]
            self.tables["embedding"].data.copy_(_start(contributions, dim))
            inputs = len(AROUND) * dim
            nn.init.uniform_(self.tables["around"], -(inputs**-0.5), inputs**-0.5)

    def forward(self, rates: Int64[Tensor, " n"], earlier: Int64[Tensor, "n h w j"]) -> Float[Tensor, "n h w F"]:
        """What is added for images of which the earlier layers are known; rates are from 0 to 255."""
        table = self.rounded("rate")
        position = rates * (len(table) - 1)
        node, fraction = position // MAX_RATE, (position % MAX_RATE / MAX_RATE).unsqueeze(1)
        upper = table[(node + 1).clamp(max=len(table) - 1)]
        of_rate = torch.lerp(table[node], upper, fraction)[:, None, None]
        if not earlier.shape[3]:
            return of_rate.expand(*earlier.shape[:3], -1)
        values = F.pad(embed(earlier, self.rounded("embedding")).sum(3), (0, 0, 1, 1, 1, 1))
        height, width = earlier.shape[1:3]
        around = [values[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in AROUND]
        return torch.cat(around, -1) @ self.rounded("around").flatten(0, 1) + of_rate


class Given(NamedTuple):
    """What a layer's network is trained with, besides its own indices.

    Attributes:
        conditions: what they add is trained as well.
        rates: of each image, from 0 to 255.
        earlier: the indices of the layers before.
    """

    conditions: TrainedConditions
    rates: Int64[Tensor, " n"]
    earlier: Integer[Tensor, "n h w j"]

    def added(self, images: Int64[Tensor, " b"]) -> Float[Tensor, "b h w F"]:
        """What is added for some of the images."""
        added: Float[Tensor, "b h w F"] = self.conditions(self.rates[images], self.earlier[images].long())
        return added


def embed(indices: Int64[Tensor, "n h w M"], embedding: Float[Tensor, "M _ E"]) -> Float[Tensor, "n h w M E"]:
    """The embedding of each index, from the table of its stage."""
    offsets = torch.arange(len(embedding), device=indices.device) * embedding.shape[1]
    return F.embedding(indices + offsets, embedding.flatten(0, 1))


def train(
    tables: Mapping[str, Tensor],
    indices: Integer[Tensor, "n h w M"],
    contributions: Float[Tensor, "M K D"],
    neighbours: Offsets,
    steps: int,
    batch: int,
    learning_rate: float,
    track: Track,
    given: Given | None = None,
) -> dict[str, Tensor]:
    """Learns the tables by gradient descent, with a one-cycle schedule.

    Args:
        tables: to begin with.
        indices: of images like those to come.
        contributions: what each index adds to a vector's value.
        neighbours: where the neighbours are.
        steps: number of training steps.
        batch: number of vectors in each of them, about.
        learning_rate: the highest one.
        track: iterates over the steps, and may show progress.
        given: the conditions of a layer, whose parameters are trained in place.

    Returns:
        the tables, by name.
    """
    number, height, width, stages = indices.shape
    network = TrainedNetwork(tables, contributions, neighbours)
    parameters = [*network.parameters(), *(given.conditions.parameters() if given else ())]
    optimizer = torch.optim.AdamW(parameters, learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    images = max(1, batch // (height * width))
    for _ in track(range(steps)):
        numbers = torch.randint(number, (images,))
        drawn = indices[numbers].long()
        alone = int(torch.randint(stages, ())) if not given and torch.rand(()) < PROGRESSIVE else None
        wanted = slice(None) if alone is None else slice(alone, alone + 1)
        added = given.added(numbers) if given else None
        logits = network(drawn, stages if alone is None else alone + 1, wanted, added)
        nats = F.cross_entropy(logits.flatten(0, 3) * math.log(2), drawn[..., wanted].movedim(3, 0).flatten())
        optimizer.zero_grad()
        (nats * len(logits)).backward()
        optimizer.step()
        schedule.step()
    return network.kept(tables)


def _straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    """The rounded values, with the gradient of those before."""
    return value + (rounded - value).detach()


def _activate(values: Tensor) -> Tensor:
    """As the integers do it: rounded down, and from 0 to 255 in units of the last digit."""
    scale = 2.0**ACTIVATION_DIGITS
    clipped = values.clamp(0, LARGEST_ACTIVATION / scale)
    return _straight_through(clipped, (clipped * scale).floor() / scale)


def _start(contributions: Float[Tensor, "M K D"], dim: int) -> Float[Tensor, "M K dim"]:
    """The contributions with unit variance, rotated to their principal axes, and cut or padded to `dim`."""
    flat = (contributions - contributions.mean(1, keepdim=True)).float().cpu().flatten(0, 1)
    rotated = flat @ torch.linalg.svd(flat, full_matrices=False).Vh.T
    scaled = F.pad(rotated / flat.std().clamp(min=1e-9), (0, max(0, dim - rotated.shape[1])))
    return scaled[:, :dim].unflatten(0, contributions.shape[:2])
