"""Trained quantisers as indices of faiss."""

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from vqvae.errors import MissingPackageError
from vqvae.quantizers import VQ, ProductVQ, Quantizer
from vqvae.quantizers.summed import SummedQuantizer

try:
    import faiss
except ImportError:
    raise MissingPackageError("faiss is not installed: pip install 'vqvae[faiss]'") from None


def to_faiss(quantizer: Quantizer) -> faiss.IndexPQ | faiss.IndexResidualQuantizer:
    """A trained, empty index of faiss with the quantiser's codebooks: add vectors to it, or indices by `add_indices`.

    - Product VQ and VQ become an `IndexPQ`, of one part for VQ.
    - Residual and additive VQ become an `IndexResidualQuantizer` with the quantiser's beam as `max_beam_size` and the
      norms of vectors kept as floats (`ST_norm_float`). faiss decodes and searches what additive VQ has encoded as it
      should be. But it encodes in the order of the codebooks, as residual VQ does, and so further off than additive VQ
      (its `LocalSearchQuantizer`, made for such codebooks, was further off still): rather add indices.

    Raises:
        TypeError: faiss has nothing like this quantiser.
    """
    dim, stages, bits = quantizer.dim, quantizer.stages, quantizer.index_bits
    codebooks = quantizer.codebooks.detach().cpu().numpy().ravel()
    if isinstance(quantizer, ProductVQ | VQ):
        index = faiss.IndexPQ(dim, stages, bits)
        faiss.copy_array_to_vector(codebooks, index.pq.centroids)
    elif isinstance(quantizer, SummedQuantizer):
        norms = faiss.AdditiveQuantizer.ST_norm_float
        index = faiss.IndexResidualQuantizer(dim, stages, bits, faiss.METRIC_L2, norms)  # type: ignore[call-overload]
        index.rq.max_beam_size = quantizer.beam
        index.rq.is_trained = True
        faiss.copy_array_to_vector(codebooks, index.rq.codebooks)
    else:
        raise TypeError(f"faiss has nothing like {type(quantizer).__name__}: use vqvae.search.Index")
    index.is_trained = True
    return index


def add_indices(index: faiss.IndexPQ | faiss.IndexResidualQuantizer, indices: Int64[Tensor, "n M"]) -> None:
    """Adds vectors that our quantiser has encoded to an index of `to_faiss`, which does not encode them anew."""
    codes = indices.cpu().numpy().astype(np.int32)
    if isinstance(index, faiss.IndexResidualQuantizer):
        packed = np.zeros((len(codes), index.sa_code_size()), np.uint8)
        index.rq.pack_codes(len(codes), faiss.swig_ptr(codes), faiss.swig_ptr(packed))  # computes the norms, too
    else:
        packed = faiss.pack_bitstrings(codes, index.pq.nbits)
    index.add_sa_codes(packed)
