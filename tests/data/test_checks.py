"""Settings of data modules that make no sense are told when the module is made, before any data is read."""

import re

import pytest

from vqvae.data.folder import ImageFolder
from vqvae.data.sample import SamplePhotos
from vqvae.errors import DataError


@pytest.mark.parametrize(
    ("setting", "least"),
    [("batch_size", 1), ("crop", 1), ("crops_per_image", 1), ("hold_out_every", 2), ("workers", 0)],
)
def test_a_number_that_is_too_small_is_named_with_the_least_that_it_may_be(setting, least):
    settings = {"root": "nowhere", "batch_size": 4, "crop": 16}
    for value in (least - 1, -7):
        rule = re.escape(f"data.{setting} is {value}, but must be at least {least}")
        with pytest.raises(DataError, match=rule):
            ImageFolder(**{**settings, setting: value})
    ImageFolder(**{**settings, setting: least})


def test_the_sample_needs_crops_too():
    with pytest.raises(DataError, match="crops_per_image is 0"):
        SamplePhotos(batch_size=4, crop=16, crops_per_image=0)
