"""A quantiser of one's own, written as docs/extending.md says: no codebooks, other sizes for each index."""

import numpy as np
import pytest
import torch
from torch import nn

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.entropy import Uniform
from vqvae.formats import ModelId
from vqvae.networks.decoder import ConvDecoder
from vqvae.networks.encoder import ConvEncoder
from vqvae.quantizers import (
    CodebookQuantizer,
    CostAware,
    PrefixDecodable,
    Quantizer,
    StraightThrough,
    TableSearchable,
)
from vqvae.quantizers.chunking import Search
from vqvae.search import Index
from vqvae.training.vectors import VectorCompression


class Rounding(Quantizer):
    """Rounds each element to one of a few levels; only what `Quantizer` asks for."""

    def __init__(self, dim: int, levels: tuple[int, ...], channel_dim: int = -1):
        super().__init__(dim, channel_dim)
        self.levels = levels
        self.scale = nn.Parameter(torch.ones(dim))

    @property
    def index_sizes(self):
        return self.levels

    def search(self, x):
        most = torch.tensor(self.levels) - 1
        return (x / self.scale.detach() + most / 2).round().clamp(min=0).minimum(most).long()

    def lookup(self, indices):
        return self.scale * (indices - (torch.tensor(self.levels) - 1) / 2)

    def fit(self, vectors, iterations=25):
        self.scale.data.copy_(4 * vectors.float().std(0) / torch.tensor(self.levels))


class SmallestFirst(CodebookQuantizer):
    """One codebook, searched by brute force; what `CodebookQuantizer` asks for."""

    def __init__(self, dim: int, codebook_size: int):
        super().__init__(dim, 1, codebook_size=codebook_size)

    def prepare(self, codebooks, costs):
        def find(x):
            distances = torch.cdist(x, codebooks[0]).square()
            return (distances if costs is None else distances + costs).argmin(1, keepdim=True)

        return Search(find, self.codebook_size)

    def fit_codebooks(self, vectors, iterations):
        return vectors[: self.codebook_size].unsqueeze(0)


@pytest.fixture
def rounding() -> Rounding:
    return Rounding(4, (2, 3, 5, 8))


def test_it_has_what_the_base_class_makes_of_it(rounding):
    x = torch.randn(2, 50, 4)
    rounding.fit(x.flatten(0, 1))
    assert rounding.num_indices == 4 and rounding.bits_per_vector == 1 + 2 + 3 + 3
    quantized = rounding.eval()(x)
    assert quantized.indices.shape == (2, 50, 4)
    assert torch.equal(rounding.decode(quantized.indices), quantized.values)
    assert (quantized.values - x).square().mean() < 0.5 * x.square().mean()
    assert rounding.perplexity(quantized.indices)[2] > 3
    assert rounding.contributions().shape == (4, 8, 4)
    assert "index_sizes=(2, 3, 5, 8)" in repr(rounding)


def test_it_trains_through_an_estimator(rounding):
    rounding.set_estimator(StraightThrough())
    x = torch.randn(50, 4, requires_grad=True)
    quantized = rounding.train()(x)
    (quantized.values.square().sum() + quantized.loss).backward()
    assert x.grad.abs().sum() > 0 and rounding.scale.grad.abs().sum() > 0
    module = VectorCompression(rounding, torch.optim.Adam, torch.optim.lr_scheduler.OneCycleLR)
    assert module.fitted() == [rounding.scale]


def test_what_it_cannot_do_is_said_in_one_line(rounding):
    x = torch.randn(5, 4)
    assert not isinstance(rounding, CostAware | PrefixDecodable | TableSearchable)
    with pytest.raises(ValueError, match="Rounding cannot choose indices by costs"):
        rounding.encode(x, torch.zeros(4, 8))
    with pytest.raises(ValueError, match="Rounding cannot be decoded from its first stages"):
        rounding.encode(x, stages=1)
    with pytest.raises(ValueError, match="2 columns, but Rounding decodes: 4"):
        rounding.decode(torch.zeros(5, 2, dtype=torch.int64))
    with pytest.raises(TypeError, match="Rounding gives no distance tables"):
        Index(rounding)


def test_it_compresses_images():
    sizes = {"dim": 4, "channels": [8, 12], "hidden": [8, 8], "blocks": [0, 0]}
    quantizer = Rounding(4, (8,) * 4)
    codec = ImageCodec(
        AutoEncoder(ConvEncoder(**sizes), quantizer, ConvDecoder(**sizes)), Uniform(4, 3), ModelId(b"a" * 32, b"b" * 32)
    )
    image = np.random.default_rng(0).integers(256, size=(20, 30, 3), dtype=np.uint8)
    assert codec.decompress(codec.compress(image)).shape == image.shape


def test_codebooks_searched_in_another_way_have_all_that_codebooks_give():
    quantizer, x = SmallestFirst(4, 7), torch.randn(100, 4) + 1000
    quantizer.fit(x)
    nearest = torch.cdist(x.double(), quantizer.codebooks[0].double()).argmin(1)
    assert torch.equal(quantizer.encode(x)[:, 0], nearest)
    assert (quantizer.encode(x, torch.arange(7.0).mul(1e6).unsqueeze(0)) == 0).all()
    index = Index(quantizer)
    index.add(x)
    assert index.search(x[:3], 2).ids.shape == (3, 2)
