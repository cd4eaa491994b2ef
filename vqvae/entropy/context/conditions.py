"""What a layer of the context model knows besides its own indices: the rate, and the layers before, on all sides."""

import numpy as np
import torch
from jaxtyping import Int8, Int16, Int32, Int64
from torch import Tensor, nn

from vqvae.entropy.base import MAX_RATE
from vqvae.entropy.context.network import LIMITS, Offsets, Positions, Sums

AROUND: Offsets = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
"""Where indices of earlier layers are seen: (rows down, columns to the right) of a position."""

CONDITION_LIMITS = {"rate": LIMITS["first_bias"], "embedding": 255, "around": 127}


class Conditions(nn.Module):
    """What is added to the sums of the first layer of a network, in integers.

    It is

        sum over o in AROUND, earlier indices j: embedding[j, i(o, j)] · around[o]
        + (rate[n] · (255 - f) + rate[n + 1] · f) // 255,    n = r · (nodes - 1) // 255, f = r · (nodes - 1) mod 255

    where r is the rate, from 0 to 255. Outside the grid nothing is added.

    Args:
        earlier: number of indices per vector in the layers before.
        size: number of values K of each.
        dim: of their embeddings.
        features: of the first layer.
        nodes: number of rates that have a row of their own, at least 2; others are interpolated.
    """

    rate: Int32[Tensor, "N F"]
    embedding: Int16[Tensor, "j K E"]
    around: Int8[Tensor, "9 E F"]

    def __init__(self, earlier: int, size: int, dim: int, features: int, nodes: int):
        super().__init__()
        if not 2 <= nodes <= MAX_RATE + 1:
            raise ValueError(f"rates is {nodes}, but must be from 2 to {MAX_RATE + 1} for a context model")
        self.register_buffer("rate", torch.zeros(nodes, features, dtype=torch.int32))
        if earlier:
            self.register_buffer("embedding", torch.zeros(earlier, size, dim, dtype=torch.int16))
            self.register_buffer("around", torch.zeros(len(AROUND), dim, features, dtype=torch.int8))
        self.earlier = earlier

    @property
    def largest(self) -> int:
        """The largest magnitude of what may be added."""
        dim = self.embedding.shape[2] if self.earlier else 0
        limits = CONDITION_LIMITS
        return len(AROUND) * self.earlier * dim * limits["embedding"] * limits["around"] + limits["rate"]

    def check(self) -> None:
        """Raises ValueError where a table holds what would not be exact, or is not of integers."""
        dtypes = {"rate": torch.int32, "embedding": torch.int16, "around": torch.int8}
        for name, table in self.named_buffers():
            if table.dtype != dtypes[name] or table.long().abs().max() > CONDITION_LIMITS[name]:
                raise ValueError(f"the context model's {name} is out of range, or not of integers")

    def sums(self, rate: int, earlier: Int64[np.ndarray, "n h w j"], reach: int) -> Sums:
        """What is added, for images of which the earlier layers are known.

        Args:
            rate: from 0 to 255.
            earlier: the indices of the layers before.
            reach: width of the border of the grid that positions are counted in, at least 1.
        """
        of_rate = self._of_rate(rate)
        if not self.earlier:
            return lambda _: of_rate
        number, height, width, _ = earlier.shape
        embedding, around = self.embedding.numpy(), self.around.numpy().astype(np.float64).reshape(-1, len(of_rate))
        grid = np.zeros((number, height + 2 * reach, width + 2 * reach, embedding.shape[2]), np.int32)
        inside = grid[:, reach:-reach, reach:-reach]
        for index, table in enumerate(embedding):
            inside += table[earlier[..., index]]
        flat = grid.reshape(number, -1, grid.shape[3])
        steps = [down * (width + 2 * reach) + right for down, right in AROUND]

        def add(positions: Positions) -> Int32[np.ndarray, "*_ F"]:
            values = np.concatenate([flat[:, positions + step] for step in steps], -1)
            return (values.astype(np.float64) @ around).astype(np.int32) + of_rate  # exact: sums below 2^31

        return add

    def _of_rate(self, rate: int) -> Int32[np.ndarray, " F"]:
        table = self.rate.numpy().astype(np.int64)
        node, fraction = divmod(rate * (len(table) - 1), MAX_RATE)
        upper = table[min(node + 1, len(table) - 1)]
        return ((table[node] * (MAX_RATE - fraction) + upper * fraction) // MAX_RATE).astype(np.int32)
