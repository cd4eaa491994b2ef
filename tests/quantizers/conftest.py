"""A quantiser of each kind, and the two paths of their searches."""

from collections.abc import Callable
from functools import partial

import pytest

from vqvae.quantizers import VQ, AdditiveVQ, ProductResidualVQ, ProductVQ, Quantizer, ResidualVQ, dispatch

MAKE: dict[str, Callable[..., Quantizer]] = {
    "vq": partial(VQ, 8, 4),
    "product": partial(ProductVQ, 8, 2, 4),
    "greedy residual": partial(ResidualVQ, 8, 3, 3),
    "residual": partial(ResidualVQ, 8, 3, 3, beam=4),
    "additive": partial(AdditiveVQ, 8, 2, 3, beam=2, refinements=1),
    "product residual": partial(ProductResidualVQ, 8, 2, 2, 3),
}


@pytest.fixture(params=MAKE)
def make(request: pytest.FixtureRequest) -> Callable[..., Quantizer]:
    """Makes a quantiser of 8 dimensions, with further arguments."""
    return MAKE[request.param]


@pytest.fixture
def quantizer(make: Callable[..., Quantizer]) -> Quantizer:
    return make()


@pytest.fixture(params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test with compiled and with plain searches."""
    if request.param == "plain":
        monkeypatch.setattr(dispatch, "_load", lambda: None)
