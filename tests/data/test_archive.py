"""Archives as data sets."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.conftest import reconstruct
from vqvae.codec import ImageCodec
from vqvae.data.archive import ArchivedImages, ArchivedIndices
from vqvae.errors import BitstreamError
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.writer import append


@pytest.fixture
def images(photo) -> list[np.ndarray]:
    """Of two sizes, one after the other."""
    return [np.roll(photo[: 20 + n % 2], n, axis=1) for n in range(24)]


@pytest.fixture
def path(images, tiny_codec: ImageCodec, tmp_path):
    path = tmp_path / "images.vqa"
    with append(path, tiny_codec.model_id) as appender:
        for number, image in enumerate(images):
            (coded,) = tiny_codec.compress_batch(image[None])
            appender.add(Entry(str(number), image.shape[1], image.shape[0], coded.entropy_code, coded.sections[0]))
    return path


def test_items_are_what_the_codec_decodes_in_the_order_asked_for(path, images, tiny_codec):
    pixels = ArchivedImages(path, tiny_codec)
    assert len(pixels) == len(images)
    for number, item in zip([5, 4, 4, 23], pixels.__getitems__([5, 4, 4, 23]), strict=True):
        assert item.dtype == torch.uint8
        expected = reconstruct(tiny_codec, images[number]).astype(int)
        assert np.abs(item.permute(1, 2, 0).numpy() - expected).max() <= 1, "a batch may round differently"
        assert (item.int() - pixels[number].int()).abs().max() <= 1


def test_indices_are_those_of_the_encoder(path, images, tiny_codec):
    item = ArchivedIndices(path, tiny_codec)[3]
    expected = tiny_codec.decode_indices(tiny_codec.compress_batch(images[3][None]), *images[3].shape[:2])[0]
    assert item.dtype == torch.int64 and np.array_equal(item, expected)


@pytest.mark.parametrize("kind", [ArchivedIndices, ArchivedImages])
def test_workers_give_the_same_as_none(path, tiny_codec, kind):
    same_size = range(0, 24, 2)
    alone, shared = (
        list(DataLoader(kind(path, tiny_codec), batch_size=4, sampler=same_size, num_workers=workers))
        for workers in (0, 2)
    )
    assert len(alone) == 3 and alone[0].shape[0] == 4
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_an_archive_of_another_model_is_refused_when_it_is_opened(path, tiny_codec):
    tiny_codec.model_id = tiny_codec.model_id._replace(whole=bytes(32))
    with pytest.raises(BitstreamError, match="another model"):
        ArchivedImages(path, tiny_codec)
