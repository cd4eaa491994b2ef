"""Export of trained quantisers to faiss indices."""

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from vqvae.errors import MissingPackageError
from vqvae.quantizers import ProductVQ, Quantizer
from vqvae.quantizers.codebook_quantizer import CodebookQuantizer
from vqvae.quantizers.summed import SummedQuantizer

try:
    import faiss
except ImportError:
    raise MissingPackageError("faiss is not installed: pip install 'vqkit[faiss]'") from None


def to_faiss(quantizer: Quantizer) -> faiss.IndexPQ | faiss.IndexResidualQuantizer:
    """A trained, empty faiss index with the quantiser's codebooks: add vectors to it, or indices by `add_indices`.

    - Product VQ and VQ become an `IndexPQ`, with one piece for VQ.
    - Residual and additive VQ become an `IndexResidualQuantizer` with the quantiser's beam as `max_beam_size` and the
      norms of vectors stored as floats (`ST_norm_float`). faiss decodes and searches indices of additive VQ correctly,
      but encodes in the order of the codebooks, as residual VQ does, with a larger error than additive VQ (its
      `LocalSearchQuantizer`, made for such codebooks, had a larger error still): add indices instead.

    Raises:
        TypeError: faiss has no equivalent of this quantiser.
    """
    dim, stages, bits = quantizer.dim, quantizer.num_indices, quantizer.index_bits
    if isinstance(quantizer, ProductVQ):
        index = faiss.IndexPQ(dim, stages, bits)
        faiss.copy_array_to_vector(_codebooks(quantizer), index.pq.centroids)
    elif isinstance(quantizer, SummedQuantizer):
        norms = faiss.AdditiveQuantizer.ST_norm_float
        index = faiss.IndexResidualQuantizer(dim, stages, bits, faiss.METRIC_L2, norms)  # type: ignore[call-overload]
        index.rq.max_beam_size = quantizer.beam
        index.rq.is_trained = True
        faiss.copy_array_to_vector(_codebooks(quantizer), index.rq.codebooks)
    else:
        raise TypeError(f"faiss has no equivalent of {type(quantizer).__name__}: use vqvae.search.Index")
    index.is_trained = True
    return index


def _codebooks(quantizer: CodebookQuantizer) -> np.ndarray:
    """All codewords in a row; faiss has codebooks of powers of two only."""
    if quantizer.codebook_size != 2**quantizer.index_bits:
        raise TypeError(f"faiss has no codebooks of {quantizer.codebook_size} codewords: choose a power of two")
    return quantizer.codebooks.detach().float().cpu().numpy().ravel()


def add_indices(index: faiss.IndexPQ | faiss.IndexResidualQuantizer, indices: Int64[Tensor, "n M"]) -> None:
    """Adds vectors encoded by our quantiser to an index of `to_faiss`."""
    codes = indices.cpu().numpy().astype(np.int32)
    if isinstance(index, faiss.IndexResidualQuantizer):
        packed = np.zeros((len(codes), index.sa_code_size()), np.uint8)
        index.rq.pack_codes(len(codes), faiss.swig_ptr(codes), faiss.swig_ptr(packed))  # computes the norms as well
    else:
        packed = faiss.pack_bitstrings(codes, index.pq.nbits)
    index.add_sa_codes(packed)
