"""Exhaustive search among quantised vectors by lookup tables."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from vqvae.quantizers import Quantizer, TableSearchable
from vqvae.quantizers.dispatch import kernels_for
from vqvae.search import plain
from vqvae.search.result import SearchResult

VECTORS_PER_CHUNK = 2**15  # encoded at a time
QUERIES_PER_BLOCK = 64  # that scan the codes together
BLOCK_FLOATS = 2**21  # limit for the tables of a block: 8 MiB, ...
TABLE_FLOATS = 2**24  # ... and for all tables at a time: 64 MiB


class Index:
    """Vectors stored as codes, searched by unquantised queries: asymmetric distance computation.

    Jégou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011. Nothing is decoded: the contribution
    of each codeword to the distance from a query is looked up in a table. If values are sums of codewords, the norm of
    each vector is needed as well (Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR
    2014). It is computed when vectors are added, and stored in 4 bytes per vector, as faiss does with ST_norm_float.

    Args:
        quantizer: a trained quantiser. It must not change while the index is used.

    Raises:
        TypeError: the quantiser gives no distance tables.
    """

    def __init__(self, quantizer: Quantizer):
        if not isinstance(quantizer, TableSearchable):
            raise TypeError(f"{type(quantizer).__name__} gives no distance tables: make it TableSearchable")
        self.quantizer, self._tables = quantizer, quantizer
        dtype = torch.uint8 if max(quantizer.index_sizes) <= 256 else torch.uint16
        self.codes = torch.empty(0, quantizer.num_indices, dtype=dtype, device=quantizer.device)
        """One byte per index, or two with more than 256 codewords."""
        self.norms = quantizer.norms(self.codes.long())
        """Added to the sum of table entries for each vector; None if not needed."""

    def __len__(self) -> int:
        return len(self.codes)

    def add(self, vectors: Shaped[Tensor, "n D"]) -> None:
        """Encodes vectors of any dtype, in chunks, and adds them."""
        for piece in vectors.split(VECTORS_PER_CHUNK):
            self.add_indices(self.quantizer.encode(piece.to(self.codes.device, torch.float32)))

    @torch.no_grad()
    def add_indices(self, indices: Int64[Tensor, "n M"]) -> None:
        """Adds vectors that are already encoded.

        Raises:
            ValueError: the number of columns or an index does not fit the quantiser.
        """
        number, size = self.quantizer.num_indices, max(self.quantizer.index_sizes)
        if indices.shape[1] != number:
            raise ValueError(
                f"indices have {indices.shape[1]} columns, but the quantiser has {number} indices per vector"
            )
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < size:
            raise ValueError(f"indices must be from 0 to {size - 1}: encode the vectors with the index's quantiser")
        if self.norms is not None:
            norms = [self._tables.norms(chunk.to(self.codes.device)) for chunk in indices.split(VECTORS_PER_CHUNK)]
            self.norms = torch.cat([self.norms, *(chunk for chunk in norms if chunk is not None)])
        self.codes = torch.cat([self.codes, indices.to(self.codes.device, self.codes.dtype)])

    def search(self, queries: Shaped[Tensor, "q D"], k: int) -> SearchResult:
        """The k nearest of all vectors for each query, of any dtype, nearest first.

        Raises:
            ValueError: k is less than 1, or the queries are of another dimension.
        """
        if k < 1:
            raise ValueError(f"k is {k}, but must be at least 1")
        entries = self.quantizer.num_indices * max(self.quantizer.index_sizes)
        block = max(1, min(QUERIES_PER_BLOCK, BLOCK_FLOATS // entries, -(-len(queries) // torch.get_num_threads())))
        found = [
            self._search(self._tables.distance_tables(piece).split(block, dim=2), k)
            for piece in queries.to(self.codes.device, torch.float32).split(max(1, TABLE_FLOATS // entries))
        ]
        return SearchResult(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _search(self, tables: Sequence[Float[Tensor, "M K _"]], k: int) -> SearchResult:
        search = plain.search
        if kernels_for(tables[0]) is not None:
            from vqvae.search.kernels import search
        distances, ids = search(tables, self.codes, self.norms, k)
        return SearchResult(distances.clamp(min=0), ids)  # rounding may make them negative
