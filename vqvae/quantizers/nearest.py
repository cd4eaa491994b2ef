"""Exhaustive search for the nearest codeword."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from vqvae.quantizers.chunking import Search, search_in_chunks
from vqvae.quantizers.dispatch import kernels_for
from vqvae.quantizers.workspace import workspace

FAR = 0.99  # length of the mean of codewords over their root mean square length: their mean is 7 times their spread


def nearest_search(codebooks: Float32[Tensor, "M K d"], costs: Float32[Tensor, "M K"] | None = None) -> Search:
    """A search for the nearest codewords of vectors, or of their M pieces where D = M d.

    Args:
        codebooks: the codewords.
        costs: of each codeword, to be added to its squared distance.
    """
    stages, size, dim = codebooks.shape
    offsets = codebooks.square().sum(2).unsqueeze(2)  # ‖x − c‖² = ‖x‖² + ‖c‖² − 2 x·c
    if costs is not None:
        offsets = offsets + costs.unsqueeze(2)
    scaled = -2 * codebooks

    def find(x: Tensor) -> Tensor:
        pieces = x.unflatten(1, (stages, dim)).permute(1, 2, 0)
        return argmin(torch.baddbmm(offsets, scaled, pieces, out=workspace(stages, size, x.shape[0], like=x)))

    return Search(find, stages * size)


@torch.no_grad()
def find_nearest(x: Float32[Tensor, "n d"], codebook: Float32[Tensor, "K d"]) -> Int64[Tensor, " n"]:
    """The index of the nearest codeword of each vector."""
    return search_in_chunks(nearest_search(codebook.unsqueeze(0)), x).squeeze(1)


@torch.no_grad()
def squared_distances(x: Float32[Tensor, "n D"], codebooks: Float32[Tensor, "M K d"]) -> Float32[Tensor, "M K n"]:
    """Squared distances of vectors, or of their M pieces where D = M d, from all codewords."""
    pieces = x.double().unflatten(1, (len(codebooks), -1)).permute(1, 2, 0)  # so that small distances stay exact
    norms = codebooks.double().square().sum(2, keepdim=True)
    return torch.baddbmm(norms, -2 * codebooks.double(), pieces).add_(pieces.square().sum(1, keepdim=True)).float()


def argmin(distances: Float32[Tensor, "M K n"]) -> Int64[Tensor, "n M"]:
    """The index of the least distance of each vector in each codebook."""
    kernels = kernels_for(distances)
    return distances.argmin(1).T if kernels is None else kernels.argmin(distances)


def far_origins(codebooks: Float32[Tensor, "M K d"]) -> Float32[Tensor, "M 1 d"]:
    """The mean of each codebook whose codewords are far from zero for their spread, and zeros for the others.

    ‖c‖² − 2 x·c cancels where both are large, so a search first subtracts this from codewords and vectors. Codebooks
    near zero stay as they are, so that their indices do not change by rounding.
    """
    mean = codebooks.mean(1, keepdim=True)
    length = torch.linalg.vector_norm(codebooks, dim=(1, 2), keepdim=True) / codebooks.shape[1] ** 0.5
    return mean * (torch.linalg.vector_norm(mean, dim=2, keepdim=True) > FAR * length)
