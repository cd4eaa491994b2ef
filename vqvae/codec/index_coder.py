"""Indices ↔ sections of bytes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from vqvae.codec.rate_code import add_rate, split_rate
from vqvae.entropy import EntropyModel, LayeredEntropyModel, Uniform
from vqvae.errors import BitstreamError, UsageError
from vqvae.formats import Coded


class Alike(NamedTuple):
    """What coded images have in common that are decoded together.

    Attributes:
        rate: from 0 to 255, where there is one.
        entropy_code, sections, progressive: as `Coded` has them; of the sections, their number.
    """

    rate: int | None
    entropy_code: int
    sections: int
    progressive: bool


class IndexCoder:
    """Codes the indices of images with an entropy model, or at fixed width where that is shorter.

    Args:
        entropy_model: the model.
        index_sizes: number of values of each index.
        layers: numbers of indices per vector that the sections of a progressive file end with, ascending; by default
            there is one layer.
        with_rate: whether the first section begins with a rate, which some entropy models depend on.
    """

    def __init__(
        self,
        entropy_model: EntropyModel,
        index_sizes: Sequence[int],
        layers: Sequence[int] | None = None,
        with_rate: bool = False,
    ):
        self.entropy_model = entropy_model
        self.with_rate = with_rate
        self.fixed_width = Uniform(entropy_model.stages, entropy_model.index_bits)
        self.index_sizes = np.array(index_sizes)
        self.layers = tuple(layers or (entropy_model.stages,))

    def encode(
        self, indices: Int64[np.ndarray, "n h w m"], progressive: bool = False, rate: int | None = None
    ) -> list[Coded]:
        """The coded indices of images of one size.

        Args:
            indices: the indices; of an entropy model with layers, perhaps of the first layers only.
            progressive: whether each layer is a section of its own, as it is with an entropy model with layers.
            rate: from 0 to 255, where there is one.
        """
        progressive = progressive or isinstance(self.entropy_model, LayeredEntropyModel)
        coded = self._encode(self._model(rate), indices, progressive)
        fixed_bytes = np.ceil(self.fixed_width.bits(indices) / 8)
        for number in range(len(coded)):
            if coded[number].payload_bytes > fixed_bytes[number]:
                (fixed,) = self._encode(self.fixed_width, indices[number : number + 1], progressive)
                coded[number] = min(coded[number], fixed, key=lambda one: one.payload_bytes)
        return coded if rate is None else [add_rate(one, rate) for one in coded]

    def decode(
        self, coded: Sequence[Coded], grid: tuple[int, int], layers: int | None = None
    ) -> Int64[np.ndarray, "n h w m"]:
        """The indices of images of one size.

        Args:
            coded: the coded indices.
            grid: rows and columns of vectors.
            layers: decode the first layers only; None for all that there are.

        Raises:
            BitstreamError: they are damaged, or coded by another kind of entropy model.
            UsageError: there are more of some images than of others, so that they are no one array.
        """
        decoded: dict[int, Int64[np.ndarray, "h w m"]] = {}
        for alike, numbers in self.alike(coded).items():
            some = [split_rate(coded[number]).coded if self.with_rate else coded[number] for number in numbers]
            group = self._decode(some, self._model(alike.rate), grid, layers or len(self.layers))
            self._check_sizes(group)
            decoded |= zip(numbers, group, strict=True)
        if len({indices.shape for indices in decoded.values()}) > 1:
            raise UsageError("these images have different numbers of stages: decode them one by one, or fewer stages")
        return np.stack([decoded[number] for number in range(len(coded))])

    def alike(self, coded: Sequence[Coded]) -> dict[Alike, list[int]]:
        """The numbers of coded images that can be decoded together.

        Raises:
            BitstreamError: a rate is missing.
        """
        groups: dict[Alike, list[int]] = {}
        for number, one in enumerate(coded):
            rate = split_rate(one).rate if self.with_rate else None
            groups.setdefault(Alike(rate, one.entropy_code, len(one.sections), one.progressive), []).append(number)
        return groups

    def _model(self, rate: int | None) -> EntropyModel:
        model = self.entropy_model
        return model if rate is None or not isinstance(model, LayeredEntropyModel) else model.at_rate(rate)

    def _check_sizes(self, indices: Int64[np.ndarray, "n h w m"]) -> None:
        """An index of b bits may have up to 2^b values, and its codebook fewer."""
        sizes = self.index_sizes[: indices.shape[-1]]
        if (sizes < 1 << self.entropy_model.index_bits).any() and (indices >= sizes).any():
            raise BitstreamError(f"holds an index that no codebook of {sizes.min()} codewords has: the file is damaged")

    def _encode(self, model: EntropyModel, indices: Int64[np.ndarray, "n h w m"], progressive: bool) -> list[Coded]:
        if not progressive:
            return [Coded(model.code, (payload,)) for payload in model.encode(indices)]
        ends = [end for end in self.layers if end <= indices.shape[3]]
        layers = [model.encode(indices[..., :end], start) for start, end in zip([0, *ends], ends, strict=False)]
        return [Coded(model.code, sections, True) for sections in zip(*layers, strict=True)]

    def _decode(
        self, coded: Sequence[Coded], entropy_model: EntropyModel, grid: tuple[int, int], layers: int
    ) -> Int64[np.ndarray, "n h w m"]:
        """Decodes images whose entropy model and sections are of the same kind."""
        code, sections, progressive = coded[0].entropy_code, len(coded[0].sections), coded[0].progressive
        model = next((known for known in (self.fixed_width, entropy_model) if known.code == code), None)
        if model is None:
            raise BitstreamError(f"coded with entropy model {code}, but this model's is {self.entropy_model.code}")
        ends = self.layers[:layers]
        indices = np.empty((len(coded), *grid, 0), np.int64)
        if not progressive:
            if isinstance(self.entropy_model, LayeredEntropyModel):
                raise BitstreamError("has no stages, but the files of its model do: the file is damaged")
            return model.decode([one.sections[0] for one in coded], indices, model.stages)[..., : ends[-1]]
        if sections > len(self.layers):
            raise BitstreamError(f"has {sections} stages, but its model has {len(self.layers)}: the file is damaged")
        for number, end in enumerate(ends[:sections]):
            indices = model.decode([one.sections[number] for one in coded], indices, end)
        return indices
