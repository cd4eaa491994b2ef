"""What holds for every data module of conf/data that hands out vectors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from tests.contracts.configs import data_modules, load
from tests.speech.conftest import vowel
from vqvae.data.vectors import VectorDataModule
from vqvae.media.audio import write_audio

SMALL = {"dim": 8, "rank": 3, "train": 500, "test": 100, "batch_size": 64}


@pytest.fixture
def descriptors(tmp_path: Path) -> Path:
    """A set in the formats of TEXMEX."""
    draws = np.random.default_rng(0)
    for name, number in {"learn": 300, "base": 200, "query": 10}.items():
        components = draws.integers(256, size=(number, 8), dtype=np.uint8)
        dims = np.full((number, 1), 8, "<i4").view(np.uint8)
        (tmp_path / f"{name}.bvecs").write_bytes(np.concatenate([dims, components], 1).tobytes())
    neighbours = np.concatenate([np.full((10, 1), 2), draws.integers(200, size=(10, 2))], 1)
    (tmp_path / "groundtruth.ivecs").write_bytes(neighbours.astype("<i4").tobytes())
    return tmp_path


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A few recordings."""
    for number in range(4):
        write_audio(vowel(0.5, number), 16000, tmp_path / f"{number}.wav", ".wav")
    return tmp_path


@pytest.fixture(params=data_modules(VectorDataModule))
def data(request: pytest.FixtureRequest) -> VectorDataModule:
    config = load("data", request.param)
    if "root" in config:
        config["root"] = str(request.getfixturevalue(request.param))
    module = instantiate({**config, **{name: value for name, value in SMALL.items() if name in config}})
    module.setup()
    return module


def test_batches_are_float32_vectors_of_one_dimension(data):
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        batch = next(iter(loader))
        assert batch.dtype == torch.float32 and batch.shape[1] == data.train_set.vectors.shape[1]
        assert 1 <= len(batch) <= data.batch_size


def test_training_batches_are_new_each_time_and_the_seed_decides_them(data, monkeypatch):
    def first_batches(seed: int) -> list[torch.Tensor]:
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        loader = data.train_dataloader()
        return [next(iter(loader)), next(iter(loader))]

    first, second = first_batches(7)
    assert not torch.equal(first, second)
    assert torch.equal(first, first_batches(7)[0]) and not torch.equal(first, first_batches(8)[0])


def test_the_bound_falls_with_the_bits(data):
    bounds = [data.bound(bits) for bits in (0, 8, 40)]
    assert bounds == [None] * 3 or bounds[0] > bounds[1] > bounds[2] > 0
