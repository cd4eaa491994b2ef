"""Which images are trained on, and which are not."""

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae.data import CIFAR10, ImageFolder
from vqvae.data.base import ImagesInMemory
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.errors import DataError


def test_cifar10_validation_images_are_held_out_of_training_or_not(data_root):
    kept = CIFAR10(str(data_root), batch_size=8, validation=1000)
    kept.setup()
    assert (len(kept.train_set), len(kept.val_set), len(kept.test_set)) == (49_000, 1000, 10_000)
    everything = CIFAR10(str(data_root), batch_size=8, validation=1000, hold_out=False)
    everything.setup()
    assert len(everything.train_set) == 50_000
    assert torch.equal(everything.train_set.images[-1000:], kept.val_set.images)


@pytest.mark.parametrize("validation", [0, 50_000])
def test_a_validation_set_that_leaves_one_side_empty_is_refused(validation):
    with pytest.raises(DataError, match=f"data.validation is {validation}"):
        CIFAR10("data", batch_size=8, validation=validation)


def test_missing_cifar10_without_a_network_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10 as TorchvisionCIFAR10

    def no_network(self):
        raise OSError("no route to host")

    monkeypatch.setattr(TorchvisionCIFAR10, "download", no_network)
    with pytest.raises(DataError, match=r"no route to host.*unpack cifar-10-python.tar.gz.*data.root=") as caught:
        CIFAR10(str(tmp_path), batch_size=8).setup()
    assert "\n" not in str(caught.value)


def test_a_folders_held_out_images_are_not_trained_on(tmp_path):
    for level in range(10):
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(tmp_path / f"{level}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    data = ImageFolder(str(tmp_path), batch_size=4, crop=8, hold_out_every=5)
    data.setup()
    levels = {
        split: {int(image[0, 0, 0]) for image in images.images}
        for split, images in vars(data).items()
        if "_set" in split
    }
    assert levels == {"train_set": {1, 2, 3, 4, 6, 7, 8, 9}, "val_set": {0, 5}, "test_set": {0, 5}}


def test_a_folder_without_a_cache_reads_the_same_images(tmp_path):
    for level in range(4):
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(tmp_path / f"{level}.png")
    for cache_mb in (0, 1):
        data = ImageFolder(str(tmp_path), batch_size=4, crop=8, cache_mb=cache_mb)
        data.setup()
        for _ in range(2):
            assert [int(image[0, 0, 0]) for image in data.train_set.images] == [1, 2, 3]


@pytest.mark.parametrize(("root", "reason"), [(None, "data.root=FOLDER"), ("missing", "holds 0 images")])
def test_a_folder_that_is_not_there_is_one_line(tmp_path, root, reason):
    with pytest.raises(DataError, match=reason):
        ImageFolder(root and str(tmp_path / root), batch_size=4, crop=8).setup()


def test_an_image_smaller_than_the_crops_is_named(tmp_path):
    for name in "abc":
        Image.new("RGB", (20, 7)).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match=r"a.png is 20×7, smaller than the crops of 8.*data.crop"):
        ImageFolder(str(tmp_path), batch_size=2, crop=8).setup()


def test_crops_are_pieces_of_their_image():
    image = torch.arange(3 * 20 * 30).view(3, 20, 30).to(torch.uint8)
    pieces = {
        tuple(piece.flatten().tolist())
        for piece in image.unfold(1, 5, 1).unfold(2, 5, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    }
    mirrored = {tuple(torch.tensor(piece).view(3, 5, 5).flip(2).flatten().tolist()) for piece in pieces}
    random = {tuple(crop.flatten().tolist()) for crop in RandomCrops([image], 5, 50).__getitems__(list(range(50)))}
    assert random <= pieces | mirrored and len(random) > 30
    assert random & pieces and random & mirrored
    fixed = {tuple(crop.flatten().tolist()) for crop in FixedCrops([image], 5, 4).__getitems__([0, 1, 2, 3])}
    assert fixed <= pieces and len(fixed) == 4


def test_about_half_of_the_images_are_mirrored():
    image = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1000, 3, 1, 2)
    flipped = ImagesInMemory(image, flip=True).__getitems__(list(range(1000)))
    assert 400 < (flipped[:, 0, 0, 0] == 255).sum() < 600
    assert torch.equal(ImagesInMemory(image).__getitems__([3]), image[:1])
