"""The images of an archive as map-style data sets."""

from abc import ABC, abstractmethod
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from vqvae.codec import ImageCodec
from vqvae.formats import Coded
from vqvae.formats.vqa.reader import Archive


class Archived(Dataset, ABC):
    """Decodes images on access, those of one size as a batch.

    Args:
        path: the archive.
        codec: the codec of its model; on the CPU, if a loader's workers decode.

    Raises:
        BitstreamError: the archive is corrupt, or made with another model.
    """

    def __init__(self, path: Path, codec: ImageCodec):
        self.archive = Archive(path)
        self.archive.check_model(codec.model_id)
        self.codec = codec

    def __len__(self) -> int:
        return len(self.archive)

    def __getitem__(self, number: int) -> Tensor:
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: list[int]) -> list[Tensor]:
        """A list of items; a loader's `collate_fn` makes a batch of them."""
        coded: dict[tuple[int, int], dict[int, Coded]] = defaultdict(dict)
        for number in sorted(numbers):  # in the file's order, so that no block is read twice
            entry = self.archive[number]
            coded[entry.height, entry.width][number] = Coded(entry.entropy_code, (entry.payload,))
        items: dict[int, np.ndarray] = {}
        for size, group in coded.items():
            items.update(zip(group, self._decode(list(group.values()), *size), strict=True))
        return [torch.from_numpy(items[number]) for number in numbers]

    @abstractmethod
    def _decode(self, coded: list[Coded], height: int, width: int) -> np.ndarray:
        """The items of images of one size, in an array."""


class ArchivedIndices(Archived):
    """Each item is the indices of an image, (h, w, M) int64."""

    def _decode(self, coded: list[Coded], height: int, width: int) -> Int64[np.ndarray, "n h w M"]:
        return self.codec.decode_indices(coded, height, width)


class ArchivedImages(Archived):
    """Each item is an image, (3, H, W) uint8."""

    def _decode(self, coded: list[Coded], height: int, width: int) -> UInt8[np.ndarray, "n 3 H W"]:
        return np.ascontiguousarray(self.codec.decompress_batch(coded, height, width).transpose(0, 3, 1, 2))
