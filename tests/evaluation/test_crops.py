"""The picture of crops."""

import numpy as np
import pytest

from vqvae.evaluation.crops import CAPTION, CROP, GAP, SIDE, draw_crops, nearest_quality, panels, richest_crop
from vqvae.evaluation.reference_codecs import PILLOW_CODERS, ModelCoder


@pytest.fixture
def half_noise() -> np.ndarray:
    """Flat, but noise from row 100 and column 50 on, as wide as a crop."""
    image = np.full((CROP + 150, CROP + 90, 3), 128, np.uint8)
    image[100 : 100 + CROP, 50 : 50 + CROP] = np.random.default_rng(0).integers(256, size=(CROP, CROP, 3))
    return image


def test_the_crop_is_where_the_detail_is(half_noise):
    rows, columns = richest_crop(half_noise)
    assert abs(rows.start - 100) <= CROP // 16 and abs(columns.start - 50) <= CROP // 16
    assert half_noise[rows, columns].shape == (CROP, CROP, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 300), (32, 32)])
def test_a_small_image_is_cut_to_a_square(height, width):
    assert {part.stop - part.start for part in richest_crop(np.zeros((height, width, 3), np.uint8))} == {
        min(height, CROP)
    }


@pytest.mark.parametrize("size", [0, 300, 400, 10**6])
def test_the_nearest_quality_is_that_which_trying_all_finds(size, photo):
    coder = PILLOW_CODERS["jpeg"]
    sizes = {quality: len(coder.encode(photo, quality)) for quality in range(4, 94)}
    found = nearest_quality(coder, photo, size)
    assert abs(sizes[found] - size) == min(abs(other - size) for other in sizes.values())


def test_all_panels_show_the_same_crop_and_say_what_it_took(tiny_codec, photo):
    ours, jpeg = ModelCoder("tiny", tiny_codec), PILLOW_CODERS["jpeg"]
    original, own, other = row = panels("photo", photo, ours, [jpeg])
    assert (original.title, own.title) == ("photo, original", "tiny") and other.title.startswith("jpeg ")
    assert own.facts.startswith(f"{len(tiny_codec.compress(photo))} bytes, ") and own.facts.endswith(" dB")
    picture = draw_crops([row, row])
    assert picture.shape == (GAP + 2 * (SIDE + GAP + CAPTION), GAP + 3 * (SIDE + GAP), 3)
    crop, factor = richest_crop(photo), SIDE // 37
    for column, panel in enumerate(row):
        left = GAP + column * (SIDE + GAP)
        shown = picture[GAP : GAP + 37 * factor : factor, left : left + 37 * factor : factor]
        assert np.array_equal(shown, panel.image[crop])
