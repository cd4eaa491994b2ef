"""The context model of indices in layers, each of which is a section of the file."""

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn

from vqvae.backend.threads import in_threads
from vqvae.entropy.base import LayeredEntropyModel, Track
from vqvae.entropy.context.conditions import Conditions, Sums
from vqvae.entropy.context.model import Context
from vqvae.entropy.context.network import MAX_SUM, NEIGHBOURS, Offsets, largest_sum
from vqvae.entropy.context.training import Given, TrainedConditions
from vqvae.entropy.range_coder import check_length
from vqvae.errors import BitstreamError

DEFAULT_RATE = 127

SLICE_ROWS = 32
"""A layer of a grid of n times as many rows is coded in n slices, which can be decoded side by side."""

LENGTH_BYTES = 4
"""Of the length of a slice's payload."""


class LayeredContext(LayeredEntropyModel):
    """A `Context` for each layer, such as each stage of a product of residual VQs, that also sees the layers before.

    As all of a layer is decoded before the next, these are seen on all sides. What is added for them, and for the rate,
    to the first layer of each network: `conditions.py`.

    Args:
        stages: number M of indices per vector, a multiple of `layers`.
        index_bits: bits of one index, log2 K.
        layers: number of layers, of M / layers indices each.
        dim: of the embeddings of the indices of a layer.
        earlier_dim: of the embeddings of those of the layers before.
        hidden: for each layer, features of the two hidden layers of its network.
        rates: number of rates that are learned; between them is interpolated.
        steps, batch, learning_rate: of the training, as `Context` has them.
        neighbours: where the neighbours in a layer are, as `Context` has them.
    """

    code = 3
    non_decoding_arguments = Context.non_decoding_arguments

    def __init__(
        self,
        stages: int,
        index_bits: int,
        layers: int,
        dim: int,
        earlier_dim: int,
        hidden: Sequence[Sequence[int]],
        rates: int,
        steps: int,
        batch: int,
        learning_rate: float,
        neighbours: Offsets = NEIGHBOURS,
    ):
        super().__init__(stages, index_bits)
        if layers < 1 or stages % layers:
            raise ValueError(f"layers is {layers}, but must divide the {stages} indices of a vector")
        if len(hidden) != layers:
            raise ValueError(f"hidden={hidden} must have an entry for each of {layers} layers")
        self.layer_size = stages // layers
        self.rate = DEFAULT_RATE
        contexts, conditions = [], []
        for layer, features in enumerate(hidden):
            earlier = layer * self.layer_size
            context = Context(self.layer_size, index_bits, dim, features, steps, batch, learning_rate, neighbours)
            added = Conditions(earlier, 1 << index_bits, earlier_dim, features[0], rates)
            if largest_sum(self.layer_size, dim, len(neighbours)) + added.largest >= MAX_SUM:
                raise ValueError(f"dim={dim} and earlier_dim={earlier_dim} may give sums above 2^31")
            contexts.append(context)
            conditions.append(added)
        self.contexts, self.conditions = nn.ModuleList(contexts), nn.ModuleList(conditions)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(range(self.layer_size, self.stages + 1, self.layer_size))

    def at_rate(self, rate: int) -> "LayeredContext":
        other = copy(self)
        other.rate = rate
        return other

    def check(self) -> None:
        for layer in range(len(self.contexts)):
            self._context(layer).check()
            self._conditions(layer).check()

    def fit(
        self,
        indices: Integer[np.ndarray, "n h w M"],
        contributions: Float[Tensor, "M K D"],
        track: Track = iter,
        rates: Int64[np.ndarray, " n"] | None = None,
    ) -> None:
        """Fits the tables, continuing from the present ones.

        Args:
            indices: of images like those to be coded; K in the layers that an image does not have.
            contributions: what each index adds to a vector's value.
            track: iterates over the training steps, and may show progress.
            rates: of each image, from 0 to 255.
        """
        size = self.layer_size
        if rates is None:
            rates = np.full(len(indices), self.rate)
        for layer, start in enumerate(range(0, self.stages, size)):
            present = indices[:, 0, 0, start] < 1 << self.index_bits
            own = slice(start, start + size)
            before = dict(self._conditions(layer).named_buffers())
            conditions = TrainedConditions(before, contributions[:start])
            earlier = torch.from_numpy(indices[present, ..., :start])
            given = Given(conditions, torch.from_numpy(rates[present]), earlier)
            self._context(layer).fit_given(given, indices[present][..., own], contributions[own], track)
            for name, table in conditions.kept(before).items():
                setattr(self._conditions(layer), name, table)

    def bits(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> Float[np.ndarray, " n"]:
        total = np.zeros(len(indices))
        for layer, own in self._of(known, indices.shape[3]):
            for rows, added in self._slices(layer, indices):
                total += self._context(layer).bits(indices[:, rows, :, own], 0, added)
        return total

    def encode(self, indices: Int64[np.ndarray, "n h w m"], known: int = 0) -> list[bytes]:
        ((layer, own),) = self._of(known, indices.shape[3])
        slices = self._slices(layer, indices)
        payloads: list[list[bytes]] = [[]] * len(slices)

        def encode(number: int, rows: slice, added: Sums) -> None:
            payloads[number] = self._context(layer).encode(indices[:, rows, :, own], 0, added)

        in_threads(encode, [(number, *one) for number, one in enumerate(slices)])
        return [_join(parts) for parts in zip(*payloads, strict=True)]

    def decode(
        self, payloads: Sequence[bytes], known: Int64[np.ndarray, "n h w k"], stages: int
    ) -> Int64[np.ndarray, "n h w m"]:
        ((layer, _),) = self._of(known.shape[3], stages)
        number, height, width, _ = known.shape
        for payload in payloads:
            check_length(payload, height * width * self.layer_size)
        slices = self._slices(layer, known)
        parts = [_split(payload, len(slices)) for payload in payloads]
        decoded = np.empty((number, height, width, self.layer_size), np.int64)

        def decode(own: Sequence[bytes], rows: slice, added: Sums) -> None:
            nothing = known[:, rows, :, :0]
            decoded[:, rows] = self._context(layer).decode(own, nothing, self.layer_size, added)

        in_threads(decode, [(own, *one) for own, one in zip(zip(*parts, strict=True), slices, strict=True)])
        return np.concatenate([known, decoded], -1)

    def rdo_quantize_layer(
        self,
        subvectors: Float32[np.ndarray, "n h w s d"],
        codebooks: Float32[np.ndarray, "s K d"],
        lmbda: float,
        costs: Float32[np.ndarray, "s K"],
        earlier: Int64[np.ndarray, "n h w j"],
    ) -> Int64[np.ndarray, "n h w s"]:
        layer = earlier.shape[3] // self.layer_size
        above = np.empty((len(earlier), 0, earlier.shape[2], self.layer_size), np.int64)
        chosen = np.empty(subvectors.shape[:4], np.int64)

        def choose(rows: slice, added: Sums) -> None:
            context = self._context(layer)
            chosen[:, rows] = context.rdo_quantize(subvectors[:, rows], codebooks, lmbda, above, costs, added)

        in_threads(choose, self._slices(layer, earlier))
        return chosen

    def _of(self, first: int, last: int) -> Iterator[tuple[int, slice]]:
        """The layers from index `first` to index `last` of a vector, and where they are among its indices."""
        for start in range(first, last, self.layer_size):
            yield start // self.layer_size, slice(start, start + self.layer_size)

    def _slices(self, layer: int, indices: Int64[np.ndarray, "n h w j"]) -> list[tuple[slice, Sums]]:
        """The rows of each slice of a layer, and what conditions add there."""
        context = self._context(layer)
        _, height, width, _ = indices.shape
        of_layer = self._conditions(layer).sums(self.rate, indices[..., : layer * self.layer_size], context.reach)

        def added(top: int) -> Sums:
            before = top * (width + 2 * context.reach)  # positions of the grid
            return lambda positions: of_layer(positions + before)

        _ = context.network  # made once, before threads ask for it
        number = max(1, height // SLICE_ROWS)
        edges = [height * part // number for part in range(number + 1)]
        return [(slice(top, bottom), added(top)) for top, bottom in pairwise(edges)]

    def _context(self, layer: int) -> Context:
        context = self.contexts[layer]
        assert isinstance(context, Context)
        return context

    def _conditions(self, layer: int) -> Conditions:
        conditions = self.conditions[layer]
        assert isinstance(conditions, Conditions)
        return conditions


def _join(payloads: Sequence[bytes]) -> bytes:
    """The lengths of all payloads but the last, and the payloads."""
    return b"".join([*(len(payload).to_bytes(LENGTH_BYTES, "big") for payload in payloads[:-1]), *payloads])


def _split(joined: bytes, number: int) -> list[bytes]:
    """The payloads, of which there are this many.

    Raises:
        BitstreamError: they are longer than all together.
    """
    position, payloads = LENGTH_BYTES * (number - 1), []
    for place in range(0, position, LENGTH_BYTES):
        length = int.from_bytes(joined[place : place + LENGTH_BYTES], "big")
        payloads.append(joined[position : position + length])
        position += length
    if position > len(joined):
        raise BitstreamError("the payload ends before its last slice: it is damaged")
    return [*payloads, joined[position:]]
