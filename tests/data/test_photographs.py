"""Photographs in two folders."""

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae.data.photographs import Photographs
from vqvae.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path):
    """Images whose every pixel says where it is: x in red, y in green; blue tells the folders apart."""
    for part, blue in (("train", 10), ("validation", 200)):
        (tmp_path / part).mkdir()
        y, x = np.mgrid[:96, :120].astype(np.uint8)
        Image.fromarray(np.stack([x, y, np.full_like(x, blue)], 2)).save(tmp_path / part / "a.png")
    return tmp_path


def test_crops_come_from_their_own_folder_turned_mirrored_and_reduced(root):
    data = Photographs(str(root), batch_size=4, crop=32, reduced=0.5, min_scale=0.5)
    data.setup()
    batch = data.train_set.__getitems__([0] * 200)
    assert batch.shape == (200, 3, 32, 32) and (batch[:, 2] == 10).all()
    across = batch[:, 0].float().diff(dim=2).mean((1, 2))  # of x: 1 pixel as it is, -1 mirrored, 0 turned
    assert (across > 0.9).any() and (across < -0.9).any() and (across.abs() < 0.1).any()
    slopes = torch.maximum(across.abs(), batch[:, 0].float().diff(dim=1).mean((1, 2)).abs())
    assert (slopes > 1.3).any() and slopes.max() < 2.1 and (slopes - 1).abs().lt(0.01).float().mean() > 0.3
    (held_out,) = data.val_set.__getitems__([0])
    assert held_out.shape == (3, 32, 32) and (held_out[2] == 200).all()


def test_images_that_cannot_be_used_are_named_once_and_left_out(root, caplog):
    (root / "train" / "text.png").write_text("not an image")
    Image.new("RGB", (20, 90)).save(root / "validation" / "small.png")
    data = Photographs(str(root), batch_size=4, crop=32, reduced=0.5, min_scale=0.5)
    data.prepare_data()
    data.setup()
    data.prepare_data()
    named = [record.getMessage() for record in caplog.records if "left out: " in record.getMessage()]
    assert [line.split()[2] for line in named] == [str(root / "train/text.png"), str(root / "validation/small.png")]
    assert len(data.train_set.images) == len(data.val_set.images) == 1


def test_what_is_missing_or_makes_no_sense_is_said(root, tmp_path):
    with pytest.raises(DataError, match=r"data\.root=FOLDER"):
        Photographs(None, 4, 32, 0.5, 0.5)
    with pytest.raises(ConfigError, match=r"reduced=1\.5"):
        Photographs(str(root), 4, 32, reduced=1.5, min_scale=0.5)
    with pytest.raises(DataError, match=r"validation holds 0 images|train holds 0 images"):
        Photographs(str(tmp_path / "train"), 4, 32, 0.5, 0.5).setup()
