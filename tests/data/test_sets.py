"""Which images are trained on, and which are not."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae.data import inspection
from vqvae.data.base import ImagesInMemory
from vqvae.data.cifar10 import CIFAR10
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.data.folder import ImageFolder
from vqvae.data.sample import SamplePhotos
from vqvae.errors import DataError


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
    assert levels == {"train_set": {1, 2, 3, 4, 6, 7, 8, 9}, "val_set": {0}, "test_set": {5}}


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


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Five images that can be trained on, and one of each kind that cannot."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for level in range(5):
        Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(folder / f"good{level}.png")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    for name in ("cut.jpg", "cut.png"):
        noise.save(folder / name)
        (folder / name).write_bytes((folder / name).read_bytes()[:-1000])
    transparent = noise.copy()
    transparent.putalpha(100)
    transparent.save(folder / "transparent.png")
    Image.fromarray(np.full((8, 8), 300, np.uint16)).save(folder / "deep.png")
    noise.save(folder / "moving.gif", save_all=True, append_images=[noise.rotate(90)])
    (folder / "text.webp").write_text("not an image")
    (folder / "huge.ppm").write_bytes(b"P6 100000 100000 255\n")
    (folder / "long.pbm").write_bytes(b"P4 2000000 1\n" + bytes(250_000))
    Image.new("RGB", (7, 20)).save(folder / "small.png")
    (folder / "folder.png").mkdir()
    return folder


def test_images_that_cannot_be_used_are_named_before_training_and_left_out(mixed, caplog):
    data = ImageFolder(str(mixed), batch_size=2, crop=8, hold_out_every=5)
    with caplog.at_level("INFO"):
        data.prepare_data()
        data.setup()
        data.prepare_data()
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == f"{mixed}: checking all images"
    assert lines[-1] == f"{mixed}: 5 images are used, 10 left out" and len(lines) == 12
    reasons = {
        "cut.jpg": "truncated",
        "cut.png": "truncated",
        "deep.png": "more than 8 bits",
        "folder.png": "directory",
        "huge.ppm": "exceeds limit",
        "long.pbm": "2000000×1 pixels, more than",
        "moving.gif": "2 frames",
        "small.png": "7×20, smaller than the crops of 8",
        "text.webp": "not an image",
        "transparent.png": "transparency",
    }
    for line, (name, reason) in zip(lines[1:-1], reasons.items(), strict=True):
        assert line.startswith(f"left out: {mixed / name} ") and reason in line and "\n" not in line
    assert sorted(path.name for path in data.train_set.images.paths) == [f"good{level}.png" for level in range(1, 5)]


def test_images_are_decoded_once_until_they_change(mixed, monkeypatch):
    decoded = []
    read = inspection.read_image
    monkeypatch.setattr(inspection, "read_image", lambda path: decoded.append(path.name) or read(path))
    paths = sorted(mixed.iterdir())
    first = inspection.inspect_images(paths, mixed, 8)
    assert sorted(decoded) == [path.name for path in paths]
    decoded.clear()
    assert inspection.inspect_images(paths, mixed, 8) == first and decoded == []
    assert len(inspection.inspect_images(paths, mixed, 9).usable) == 0 and decoded == []
    (mixed / "cut.png").write_bytes((mixed / "good0.png").read_bytes())
    again = inspection.inspect_images(paths, mixed, 8)
    assert decoded == ["cut.png"] and mixed / "cut.png" in again.usable


@pytest.mark.parametrize("kept", ["", "[1]", '{"versions": 1}', "{"])
def test_a_damaged_cache_is_made_anew(mixed, kept):
    paths = sorted(mixed.iterdir())
    first = inspection.inspect_images(paths, mixed, 8)
    (store,) = (Path(os.environ["XDG_CACHE_HOME"]) / "vqvae" / "images").iterdir()
    whole = store.read_text()
    store.write_text(kept)
    assert inspection.inspect_images(paths, mixed, 8) == first and store.read_text() == whole


def test_a_cache_that_cannot_be_written_is_done_without(mixed, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(inspection.inspect_images(sorted(mixed.iterdir()), mixed, 8).usable) == 5


def test_validation_and_test_measure_on_different_images(mixed):
    for data in (ImageFolder(str(mixed), batch_size=2, crop=8, hold_out_every=2), SamplePhotos(batch_size=2, crop=8)):
        data.setup()
        sets = [
            {bytes(image.numpy()) for image in part.images} for part in (data.train_set, data.val_set, data.test_set)
        ]
        assert all(sets) and not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])


@pytest.mark.parametrize(
    ("name", "value"), [("crop", 0), ("crops_per_image", 0), ("hold_out_every", 1), ("hold_out_every", -1)]
)
def test_settings_that_leave_nothing_are_one_line(tmp_path, name, value):
    with pytest.raises(DataError, match=f"data.{name} is {value}, but must be at least"):
        ImageFolder(str(tmp_path), **{"batch_size": 2, "crop": 8, name: value})
