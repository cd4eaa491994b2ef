"""What several test files share."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from vqvae.autoencoder import AutoEncoder
from vqvae.codec import Codec
from vqvae.data import load_cifar10
from vqvae.model_file import build_entropy_model, load_codec, round_to_half, save_model

settings.register_profile("patient", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("patient")

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("VQVAE_DATA", REPOSITORY / "data"))

TINY_MODEL = {
    "encoder": {
        "_target_": "vqvae.networks.encoder.ConvEncoder",
        "dim": 8,
        "channels": [8, 12],
        "hidden": [8, 8],
        "blocks": [1, 1],
    },
    "quantizer": {
        "_target_": "vqvae.quantizers.residual.ResidualVQ",
        "dim": 8,
        "stages": 3,
        "codebook_bits": 3,
        "beam": 4,
    },
    "decoder": {
        "_target_": "vqvae.networks.decoder.ConvDecoder",
        "dim": 8,
        "channels": [8, 12],
        "hidden": [8, 8],
        "blocks": [1, 1],
    },
    "entropy": {"_target_": "vqvae.coding.uniform.Uniform"},
}


@pytest.fixture(autouse=True)
def same_draws_every_time() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def real_data(*folders: str) -> Path:
    """Where these are; a test that needs them is skipped where they are not."""
    missing = [folder for folder in folders if not (DATA / folder).is_dir()]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} in {DATA} (VQVAE_DATA names another folder)")
    return DATA


@pytest.fixture(scope="session")
def data_root() -> Path:
    return real_data("cifar-10-batches-py", "kodak")


@pytest.fixture(scope="session")
def sift_photo() -> Path:
    return real_data("sift-photo") / "sift-photo"


@pytest.fixture(scope="session")
def cifar10_test(data_root: Path) -> torch.Tensor:
    return load_cifar10(data_root, train=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with untrained weights."""
    torch.manual_seed(0)
    autoencoder = AutoEncoder.from_config(TINY_MODEL)
    round_to_half(autoencoder)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_model(path, TINY_MODEL, autoencoder, build_entropy_model(TINY_MODEL["entropy"], autoencoder), {"steps": 0})
    return path


@pytest.fixture
def tiny_codec(tiny_model: Path) -> Codec:
    return load_codec(tiny_model)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A smooth picture with an edge, of odd size."""
    y, x = np.mgrid[0:37, 0:53]
    picture = np.stack([4 * x, 6 * y, 128 + 100 * np.sign(x - y)], axis=-1)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def photo_file(photo: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path
