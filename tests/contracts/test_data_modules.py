"""What holds for every data module of conf/data that hands out images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from torch.utils.data import DataLoader

from tests.contracts.configs import data_modules, load
from vqvae.data.base import ImageDataModule

ROOTS = {
    "cifar10": "data_root",
    "folder": "photo_folder",
    "photographs": "split_folder",
}  # what `root` stands for, where a module has one


@pytest.fixture
def photo_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(25):
        pixels = np.random.default_rng(number).integers(256, size=(70 + number, 90, 3), dtype=np.uint8)
        path = tmp_path / "tree" / f"{number % 3}" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path


@pytest.fixture
def split_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs in two folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for part in ("train", "validation"):
        (tmp_path / part).mkdir()
        for number in range(4):
            pixels = np.random.default_rng(number).integers(256, size=(270 + number, 300, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f"{number}.png")
    return tmp_path


@pytest.fixture(params=data_modules(ImageDataModule))
def data(request: pytest.FixtureRequest) -> ImageDataModule:
    config = load("data", request.param)
    if "root" in config:
        config["root"] = str(request.getfixturevalue(ROOTS[request.param]))
    module = instantiate(config)
    module.prepare_data()
    module.setup()
    return module


def loaders(data: ImageDataModule) -> dict[str, DataLoader]:
    return {"train": data.train_dataloader(), "val": data.val_dataloader(), "test": data.test_dataloader()}


def batches(loaders: dict[str, DataLoader]) -> dict[str, torch.Tensor]:
    return {split: next(iter(loader)) for split, loader in loaders.items()}


def test_batches_are_uint8_images_of_one_size(data):
    sizes = set()
    for batch in batches(loaders(data)).values():
        assert batch.dtype == torch.uint8 and batch.ndim == 4 and batch.shape[1] == 3
        assert 1 <= len(batch) <= data.batch_size
        sizes.add(batch.shape[2:])
    assert len(sizes) == 1


def test_training_batches_are_full_and_new_each_time_where_the_others_stay_the_same(data):
    used = loaders(data)
    first, second = batches(used), batches(used)
    assert len(first["train"]) == data.batch_size
    assert not torch.equal(first["train"], second["train"])
    assert torch.equal(first["val"], second["val"]) and torch.equal(first["test"], second["test"])


def test_the_seed_alone_decides_the_training_batches(data, monkeypatch):
    def first_batch(seed: int, workers: int) -> torch.Tensor:
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        data.workers = workers
        return next(iter(data.train_dataloader()))

    batch = first_batch(seed=7, workers=0)
    assert torch.equal(batch, first_batch(seed=7, workers=2))
    assert not torch.equal(batch, first_batch(seed=8, workers=0))


def test_images_are_the_right_way_up_and_in_full_range(data):
    batch = batches(loaders(data))["test"].float()
    assert batch.max() > 200 and batch.min() < 60
    neighbours = (batch[..., 1:] - batch[..., :-1]).abs().mean()
    far_apart = (batch[..., 16:] - batch[..., :-16]).abs().mean()
    assert neighbours < 1.05 * far_apart
