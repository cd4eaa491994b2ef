"""Leading shapes, feature maps, masks, and what a quantiser says of itself."""

import pytest
import torch

from vqvae.quantizers import (
    VQ,
    MovingAverage,
    ProductResidualVQ,
    ProductVQ,
    Quantizer,
    StraightThrough,
)


@pytest.mark.parametrize("shape", [(), (5,), (2, 5), (2, 3, 4), (0,), (2, 0, 4)], ids=str)
def test_any_leading_shape_gives_what_its_rows_give(make, shape):
    quantizer: Quantizer = make().eval()
    x = torch.randn(*shape, 8)
    indices = quantizer.encode(x)
    assert indices.shape == (*shape, quantizer.num_indices)
    assert torch.equal(indices.view(-1, quantizer.num_indices), quantizer.encode(x.view(-1, 8)))
    values = quantizer.decode(indices)
    assert values.shape == x.shape
    assert torch.equal(values.view(-1, 8), quantizer.decode(indices.view(-1, quantizer.num_indices)))
    quantized = quantizer(x)
    assert torch.equal(quantized.values, values) and torch.equal(quantized.indices, indices)


def test_feature_maps_have_their_vectors_along_the_channels(make):
    last, maps = make().eval(), make(channel_dim=1).eval()
    maps.load_state_dict(last.state_dict())
    x = torch.randn(2, 8, 3, 4)
    quantized, expected = maps(x), last(x.movedim(1, -1))
    assert torch.equal(quantized.indices, expected.indices) and quantized.indices.shape[:3] == (2, 3, 4)
    assert torch.equal(quantized.values, expected.values.movedim(-1, 1))
    assert torch.equal(maps.decode(quantized.indices), quantized.values)
    maps.fit(x)
    assert "channel_dim=1" in repr(maps)


def test_an_input_without_such_an_axis_is_refused():
    with pytest.raises(ValueError, match=r"shape \(8,\).*channel_dim=1"):
        VQ(8, 4, channel_dim=1).encode(torch.randn(8))


def test_padding_gets_no_index_and_counts_for_nothing(make):
    x, mask = torch.randn(2, 5, 8), torch.tensor([[True] * 5, [True, True, False, False, False]])
    x[~mask] = torch.nan
    quantizer: Quantizer = make()
    quantizer.set_estimator(StraightThrough())
    quantized = quantizer.train()(x.requires_grad_(), mask=mask)
    alone = quantizer(x[mask])
    assert (quantized.indices[~mask] == -1).all() and (quantized.values[~mask] == 0).all()
    assert torch.equal(quantized.indices[mask], alone.indices) and torch.equal(quantized.values[mask], alone.values)
    assert quantized.loss == alone.loss
    assert torch.equal(quantizer.decode(quantized.indices, mask)[mask], quantizer.decode(alone.indices))
    assert torch.equal(quantizer.perplexity(quantized.indices), quantizer.perplexity(alone.indices))
    (quantized.values.square().sum() + quantized.loss).backward()
    assert x.grad[mask].isfinite().all() and (x.grad[~mask] == 0).all()


@pytest.mark.parametrize("estimator", [StraightThrough, MovingAverage])
def test_an_empty_batch_is_no_loss_and_changes_nothing(make, estimator):
    quantizer: Quantizer = make().train()
    quantizer.set_estimator(estimator())
    before = quantizer.codebooks.detach().clone()
    assert quantizer(torch.empty(0, 8)).loss == 0
    assert torch.equal(quantizer.codebooks, before)


def test_usage_and_perplexity_come_from_the_module():
    quantizer = ProductVQ(8, 2, codebook_size=5)
    indices = torch.tensor([[[0, 4], [1, 4]], [[2, 4], [3, 4]]])
    torch.testing.assert_close(quantizer.usage(indices), torch.tensor([0.8, 0.2]))
    torch.testing.assert_close(quantizer.perplexity(indices), torch.tensor([4.0, 1.0]))


def test_the_repr_says_dim_stages_and_codewords():
    first = repr(ProductResidualVQ(8, pieces=2, stages=3, codebook_size=10, beam=4)).splitlines()[1]
    assert first.strip() == "dim=8, stages=3, codebook_size=10, pieces=2, beam=4"
    assert "dim=8, stages=2, codebook_size=16" in repr(ProductVQ(8, 2, 4))
