"""Exhaustive search among quantised vectors by look-up tables."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from vqvae.quantizers import Quantizer
from vqvae.quantizers.compiled import kernels_for
from vqvae.search import plain
from vqvae.search.found import Found

VECTORS = 2**15  # encoded at a time
QUERIES = 64  # that pass over the codes together
BLOCK_FLOATS = 2**21  # of their tables at most: 8 MiB, ...
FLOATS = 2**24  # ... and 64 MiB of all tables that are there at a time


class Index:
    """Vectors held as codes, and compared with queries that are not quantised: asymmetric distances.

    Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011. Nothing is decoded: what each codeword
    adds to the distance from a query is looked up in a table. Where values are sums of codewords, the norm of each is
    needed, too (Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014). It is
    computed when vectors are added, and kept in 4 bytes a vector, as faiss does with ST_norm_float.

    Args:
        quantizer: a trained quantiser. It must stay as it is as long as the index is used.
    """

    def __init__(self, quantizer: Quantizer):
        self.quantizer = quantizer
        device = quantizer.codebooks.device
        dtype = torch.uint8 if quantizer.codebook_size <= 256 else torch.uint16
        self.codes = torch.empty(0, quantizer.stages, dtype=dtype, device=device)
        """One byte an index, or two where there are more than 256 codewords."""
        self.norms = None if quantizer.separable else torch.empty(0, device=device)

    def __len__(self) -> int:
        return len(self.codes)

    def add(self, vectors: Shaped[Tensor, "n D"]) -> None:
        """Encodes vectors of any dtype, a few at a time, and adds them."""
        for piece in vectors.split(VECTORS):
            self.add_indices(self.quantizer.encode(piece.to(self.codes.device, torch.float32)))

    @torch.no_grad()
    def add_indices(self, indices: Int64[Tensor, "n M"]) -> None:
        """Adds vectors that are encoded already.

        Raises:
            ValueError: these are no indices of this quantiser's vectors.
        """
        stages, size = self.quantizer.stages, self.quantizer.codebook_size
        if indices.shape[1] != stages:
            raise ValueError(f"indices have {indices.shape[1]} columns, but the quantiser has stages={stages}")
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < size:
            raise ValueError(f"indices must be from 0 to {size - 1}: encode the vectors with the index's quantiser")
        if self.norms is not None:
            norms = [self.quantizer.decode(piece).square().sum(1) for piece in indices.split(VECTORS)]
            self.norms = torch.cat([self.norms, *norms])
        self.codes = torch.cat([self.codes, indices.to(self.codes.device, self.codes.dtype)])

    def search(self, queries: Shaped[Tensor, "q D"], k: int) -> Found:
        """The k nearest of all vectors for each query, of any dtype, nearest first.

        Raises:
            ValueError: k is less than 1, or the queries are of another dimension.
        """
        if k < 1:
            raise ValueError(f"k is {k}, but must be at least 1")
        entries = self.quantizer.codebooks.shape[:2].numel()
        block = max(1, min(QUERIES, BLOCK_FLOATS // entries, -(-len(queries) // torch.get_num_threads())))
        found = [
            self._search(self.quantizer.distance_tables(piece).split(block, dim=2), k)
            for piece in queries.to(self.codes.device, torch.float32).split(max(1, FLOATS // entries))
        ]
        return Found(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _search(self, tables: Sequence[Float[Tensor, "M K _"]], k: int) -> Found:
        search = plain.search
        if kernels_for(tables[0]) is not None:  # Numba is there
            from vqvae.search.kernels import search
        distances, ids = search(tables, self.codes, self.norms, k)
        return Found(distances.clamp(min=0), ids)  # rounding can take them below
