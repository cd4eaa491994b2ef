"""Quantisers to search with: stages in fours and besides, indices of one byte and of two."""

import pytest

from vqvae.quantizers import VQ, AdditiveVQ, ProductResidualVQ, ProductVQ, Quantizer, ResidualVQ

DIM = 18
QUANTIZERS = {
    "vq": lambda: VQ(DIM, 5),
    "vq of two bytes": lambda: VQ(DIM, 10),
    "product": lambda: ProductVQ(DIM, 9, 4),
    "product of one byte": lambda: ProductVQ(DIM, 2, 8),
    "product of two bytes": lambda: ProductVQ(DIM, 6, 9),
    "residual": lambda: ResidualVQ(DIM, 5, 5, beam=2),
    "residual of one byte": lambda: ResidualVQ(DIM, 2, 8),
    "product residual": lambda: ProductResidualVQ(DIM, 3, 2, 4, beam=4),
    "additive": lambda: AdditiveVQ(DIM, 3, 4, beam=4),
    "additive of two bytes": lambda: AdditiveVQ(DIM, 2, 9, beam=2),
}


@pytest.fixture(params=QUANTIZERS)
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    return QUANTIZERS[request.param]()
