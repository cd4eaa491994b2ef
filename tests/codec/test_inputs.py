"""Images as people give them to a codec."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import reconstruct
from vqvae.codec import ImageCodec
from vqvae.codec.inputs import check_batch
from vqvae.errors import ImageError, UsageError
from vqvae.formats import Kind
from vqvae.formats.vqz import split


def test_an_array_a_tensor_a_pillow_image_and_a_path_give_the_same_file(tiny_codec: ImageCodec, photo, photo_file):
    data = tiny_codec.compress(photo)
    for image in (torch.from_numpy(photo.copy()), Image.fromarray(photo), photo_file, str(photo_file)):
        assert tiny_codec.compress(image) == data


def test_a_greyscale_image_is_the_same_in_three_channels_and_marked_as_one(tiny_codec: ImageCodec, photo):
    grey = np.ascontiguousarray(photo[..., 1])
    data = tiny_codec.compress(grey)
    assert tiny_codec.compress(Image.fromarray(grey)) == tiny_codec.compress(torch.from_numpy(grey)) == data
    assert split(data).chunks == {Kind.GREY: b""}
    assert np.array_equal(tiny_codec.decompress(data), reconstruct(tiny_codec, np.repeat(grey[..., None], 3, 2)))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((8, 8, 3), np.float32), "of type float32, but must be uint8: scale floats to 0 … 255"),
        (torch.zeros(8, 8, 3), "of type float32, but must be uint8"),
        (np.zeros((8, 8, 3), np.int64), "of type int64, but must be uint8: convert"),
        (np.zeros((8, 8, 3), bool), "of type bool, but must be uint8"),
        (np.zeros((0, 8, 3), np.uint8), r"shape is \(0, 8, 3\), but there must be at least one pixel"),
        (np.zeros((0,), np.uint8), r"shape is \(0,\), but must be \(H, W, 3\) or \(H, W\)"),
        (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\), but must be .*: convert the image to RGB"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), r"\(3, 8, 8\), but must be .*: move the channels to the last axis"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"\(2, 8, 8, 3\), but must be"),
        (Image.new("RGBA", (8, 8)), r"mode RGBA, but must have RGB or L: convert it"),
        (Image.new("I;16", (8, 8)), "mode I;16"),
        ([[1, 2], [3, 4]], "of type list, but must be an array, a tensor or a path"),
        (None, "of type NoneType"),
    ],
)
def test_another_image_is_refused_with_value_rule_and_remedy(tiny_codec: ImageCodec, image, reason):
    with pytest.raises(UsageError, match=reason):
        tiny_codec.compress(image)


def test_a_file_that_is_no_image_is_refused_with_its_name(tiny_codec: ImageCodec, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ImageError, match=r"text\.png"):
        tiny_codec.compress(tmp_path / "text.png")


@pytest.mark.parametrize(
    ("images", "reason"),
    [(np.zeros((8, 8, 3), np.uint8), r"must be \(n, H, W, 3\)"), (np.zeros((2, 8, 8, 3)), "must be uint8")],
)
def test_a_batch_of_another_shape_or_type_is_refused(images, reason):
    with pytest.raises(UsageError, match=reason):
        check_batch(images)
