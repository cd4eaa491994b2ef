"""What several test files share."""

import os
import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import normalize, to_pixels
from vqvae.data.base import ImagesInMemory
from vqvae.data.cifar10 import load_cifar10
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, round_to_half, save_model
from vqvae.training import RateDistortion
from vqvae.training.callbacks import InitializeCodebooks, InitializeTransforms
from vqvae.training.entropy import indices_of

settings.register_profile("patient", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("patient")

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("VQVAE_DATA", REPOSITORY / "data"))

TINY_MODEL = {
    "encoder": {
        "_target_": "conv_encoder",
        "dim": 8,
        "channels": [8, 12],
        "hidden": [8, 8],
        "blocks": [1, 1],
    },
    "quantizer": {
        "_target_": "residual_vq",
        "dim": 8,
        "stages": 3,
        "codebook_bits": 3,
        "beam": 4,
    },
    "decoder": {
        "_target_": "conv_decoder",
        "dim": 8,
        "channels": [8, 12],
        "hidden": [8, 8],
        "blocks": [1, 1],
    },
    "entropy": {"_target_": "uniform"},
}


MANY_RATES = {
    "encoder": {
        "_target_": "lapped_encoder",
        "dim": 12,
        "channels": [8, 8],
        "hidden": [8, 8],
        "blocks": [0, 1],
        "patch": 4,
    },
    "quantizer": {"_target_": "product_vq", "dim": 12, "stages": 4, "codebook_bits": 5},
    "decoder": {
        "_target_": "lapped_decoder",
        "dim": 12,
        "channels": [8, 8],
        "hidden": [8, 8],
        "blocks": [0, 1],
        "patch": 4,
    },
    "entropy": {
        "_target_": "context",
        "dim": 12,
        "hidden": [32, 16],
        "steps": 300,
        "batch": 512,
        "learning_rate": 0.01,
    },
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
    autoencoder = build_autoencoder(TINY_MODEL)
    round_to_half(autoencoder)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_model(path, TINY_MODEL, autoencoder, build_entropy_model(TINY_MODEL["entropy"], autoencoder), {"steps": 0})
    return path


@pytest.fixture(scope="session")
def many_rates_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a small model with many rates, trained for some steps on smooth pictures."""
    torch.manual_seed(0)
    autoencoder = build_autoencoder(MANY_RATES)
    scheduler = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1e-3)
    optimizer = partial(torch.optim.Adam, lr=1e-3)
    module = RateDistortion(autoencoder, optimizer, scheduler, finest=100.0, coarsest=20000.0, levels=4, memory=0.9)
    images = smooth_pictures(256, 32)
    trainer = Trainer(
        max_steps=30,
        accelerator="cpu",
        callbacks=[InitializeTransforms(2000), InitializeCodebooks(2000, 10)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(ImagesInMemory(images), 16, collate_fn=lambda batch: batch))  # type: ignore[arg-type]
    round_to_half(autoencoder)
    entropy_model = build_entropy_model(MANY_RATES["entropy"], autoencoder)
    indices = indices_of(module.eval().indices, images.split(16))
    entropy_model.fit(indices, autoencoder.quantizer.contributions())
    path = tmp_path_factory.mktemp("models") / "many-rates.safetensors"
    save_model(path, {**MANY_RATES, "qualities": module.qualities}, autoencoder, entropy_model, {"steps": 30})
    return path


@pytest.fixture
def many_rates_codec(many_rates_model: Path) -> ImageCodec:
    return load_codec(many_rates_model)


def smooth_pictures(number: int, side: int) -> torch.Tensor:
    """Pictures with large and small shapes."""
    picture = sum(
        torch.nn.functional.interpolate(torch.rand(number, 3, size, size) - 0.5, size=(side, side), mode="bicubic")
        * weight
        for size, weight in ((3, 200), (9, 60), (side, 10))
    )
    return (128 + picture).clamp(0, 255).byte()


@torch.inference_mode()
def reconstruct(codec: ImageCodec, image: np.ndarray) -> np.ndarray:
    """The image as the autoencoder itself gives it back, without a file in between, and without tiles."""
    height, width, _ = image.shape
    stride = codec.autoencoder.stride
    padded = np.pad(image, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
    images = codec.autoencoder(normalize(torch.from_numpy(padded).permute(2, 0, 1)[None])).images
    return to_pixels(images)[0, :, :height, :width].permute(1, 2, 0).numpy()


@pytest.fixture
def tiny_codec(tiny_model: Path) -> ImageCodec:
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
