"""Sets for nearest-neighbour search, such as SIFT1M, to train on and to search in."""

from pathlib import Path

from vqvae.data.texmex import VectorSet, open_set
from vqvae.data.vectors import VectorDataModule, VectorsInMemory
from vqvae.errors import DataError


class Descriptors(VectorDataModule):
    """A folder in the formats of TEXMEX: trained on its learn vectors, tested on its base.

    Args:
        root: the folder, with files whose names end in `learn.?vecs`, `base.?vecs`, `query.?vecs`, `groundtruth.ivecs`.
        batch_size: vectors per batch.
    """

    def __init__(self, root: str | None, batch_size: int):
        super().__init__(batch_size)
        if root is None:
            raise DataError("no set of vectors given: name its folder with data.root=FOLDER")
        self.root = Path(root)

    def setup(self, stage: str | None = None) -> None:
        self._found = open_set(self.root)
        learn, base, queries, _ = self._found
        self.train_set, self.val_set, self.test_set = map(VectorsInMemory, (learn, queries, base))

    @property
    def search_set(self) -> VectorSet:
        return self._found
