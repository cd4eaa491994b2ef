"""Indices as sections."""

import numpy as np
import pytest
import torch

from vqvae.codec.index_coder import IndexCoder
from vqvae.entropy import Histogram
from vqvae.errors import BitstreamError
from vqvae.formats import Coded


@pytest.fixture
def indices() -> np.ndarray:
    return np.random.default_rng(0).integers(8, size=(3, 5, 7, 6))


@pytest.mark.parametrize("layers", [(6,), (2, 6), (1, 2, 5, 6), None])
def test_each_section_of_a_progressive_file_is_a_layer(indices, layers):
    coder = IndexCoder(Histogram(6, 3), [8] * 6, layers)
    coded = coder.encode(indices, progressive=True)
    ends = layers or (6,)
    assert all(len(one.sections) == len(ends) and one.progressive for one in coded)
    for number, end in enumerate(ends, 1):
        assert np.array_equal(coder.decode(coded, (5, 7), number), indices[..., :end])
        cut = [one._replace(sections=one.sections[:number]) for one in coded]
        assert np.array_equal(coder.decode(cut, (5, 7)), indices[..., :end])


def test_the_layers_of_a_file_in_one_section_can_be_decoded_alone(indices):
    coder = IndexCoder(Histogram(6, 3), [8] * 6, (2, 6))
    coded = coder.encode(indices)
    assert np.array_equal(coder.decode(coded, (5, 7)), indices)
    assert np.array_equal(coder.decode(coded, (5, 7), 1), indices[..., :2])


def test_images_that_are_coded_in_different_ways_come_back_in_their_order(indices):
    coder = IndexCoder(Histogram(6, 3), [8] * 6, range(1, 7))
    whole, progressive = coder.encode(indices), coder.encode(indices, progressive=True)
    mixed = [whole[0], progressive[1], whole[2], whole[1], progressive[0]]
    decoded = coder.decode(mixed, (5, 7))
    assert np.array_equal(decoded, indices[[0, 1, 2, 1, 0]])


def test_each_image_is_coded_at_fixed_width_where_that_is_shorter():
    model = Histogram(2, 3)
    skewed = np.minimum(np.random.default_rng(0).geometric(0.5, size=(20, 16, 16, 2)) - 1, 7)
    model.fit(skewed, torch.zeros(2, 8, 1))
    coder = IndexCoder(model, [8, 8])
    images = np.concatenate([skewed[:1], 7 - skewed[:1]])
    likely, unlikely = coder.encode(images)
    assert likely.entropy_code == model.code and likely.payload_bytes < 16 * 16 * 2 * 3 / 8
    assert unlikely == Coded(0, unlikely.sections) and unlikely.payload_bytes == 16 * 16 * 2 * 3 / 8
    assert np.array_equal(coder.decode([likely, unlikely], (16, 16)), images)


def test_sections_of_another_model_are_refused(indices):
    coder = IndexCoder(Histogram(6, 3), [8] * 6, (3, 6))
    with pytest.raises(BitstreamError, match="coded with entropy model 5, but this model's is 1"):
        coder.decode([Coded(5, (b"",))], (5, 7))
    with pytest.raises(BitstreamError, match="has 3 stages, but its model has 2"):
        coder.decode([Coded(0, (b"",) * 3, True)], (5, 7))


def test_an_index_that_its_codebook_does_not_have_is_refused():
    """Three bits could tell 8 codewords apart, but there are 5 and 8 of them."""
    coder = IndexCoder(Histogram(2, 3), [5, 8])
    sound = np.array([4, 7]) * np.ones((1, 3, 3, 1), np.int64)
    assert np.array_equal(coder.decode(coder.encode(sound), (3, 3)), sound)
    with pytest.raises(BitstreamError, match="no codebook of 5 codewords has"):
        coder.decode(coder.encode(sound + np.array([1, 0])), (3, 3))
