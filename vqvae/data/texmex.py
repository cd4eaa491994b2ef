"""Vector sets in the formats of TEXMEX, such as SIFT1M: http://corpus-texmex.irisa.fr."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int32, Shaped
from torch import Tensor

from vqvae.errors import DataError

COMPONENTS = {".fvecs": "<f4", ".bvecs": "u1", ".ivecs": "<i4"}


class VectorSet(NamedTuple):
    """A set for nearest-neighbour search.

    Attributes:
        learn: vectors to train quantisers on; float32 or uint8, as in the file, like the next two.
        base: vectors to search.
        queries: vectors whose neighbours are searched for.
        neighbours: the true nearest vectors of `base` for each query, nearest first.
    """

    learn: Shaped[Tensor, "l D"]
    base: Shaped[Tensor, "n D"]
    queries: Shaped[Tensor, "q D"]
    neighbours: Int32[Tensor, "q g"]


def open_set(folder: Path) -> VectorSet:
    """The set in a folder, memory-mapped; its files are found by their endings, as in `sift_base.fvecs`, `base.bvecs`.

    Raises:
        DataError: a file is missing, damaged, or does not fit the others.
    """
    learn, base, queries = (read_vectors(_find(folder, f"*{part}.[fb]vecs")) for part in ("learn", "base", "query"))
    neighbours = read_vectors(_find(folder, "*groundtruth.ivecs"))
    if not learn.shape[1] == base.shape[1] == queries.shape[1]:
        dims = ", ".join(str(vectors.shape[1]) for vectors in (learn, base, queries))
        raise DataError(f"{folder}: learn, base and query vectors have dimensions {dims}: they are of different sets")
    if len(neighbours) != len(queries) or not 0 <= neighbours.min() <= neighbours.max() < len(base):
        raise DataError(f"{folder}: the ground truth is of other queries or another base: use the one of this set")
    return VectorSet(learn, base, queries, neighbours)


def read_vectors(path: Path) -> Shaped[Tensor, "n D"]:
    """The vectors of a file, mapped into memory: those of `.fvecs` are float32, of `.bvecs` uint8, of `.ivecs` int32.

    Each vector in the file is its dimension, a little-endian int32, and its components.

    Raises:
        DataError: the file is missing, truncated, or not of this format.
    """
    if path.suffix not in COMPONENTS:
        raise DataError(f"{path}: not of a format of TEXMEX: its suffix must be one of {', '.join(COMPONENTS)}")
    component = np.dtype(COMPONENTS[path.suffix])
    try:
        with path.open("rb") as file:
            dim = int.from_bytes(file.read(4), "little", signed=True)
        size, vector = path.stat().st_size, 4 + dim * component.itemsize
        if dim < 1 or size % vector:
            what = f"{size} bytes are no whole vectors of dimension {dim}"
            raise DataError(f"{path}: truncated, or no {path.suffix} file: {what}")
        # Copy on write: PyTorch has no read-only tensors
        records = np.memmap(path, [("dim", "<i4"), ("components", component, (dim,))], mode="c")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    wrong = np.flatnonzero(records["dim"] != dim)
    if len(wrong):
        raise DataError(f"{path}: damaged, or no {path.suffix} file: vector {wrong[0]} is not of dimension {dim}")
    return torch.from_numpy(np.asarray(records["components"]))


def _find(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise DataError(f"{folder} holds {len(found)} files {pattern}, but one is needed: name the folder of one set")
    return found[0]
