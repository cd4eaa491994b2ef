"""CIFAR10."""

from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.datasets import CIFAR10 as TorchvisionCIFAR10

from vqvae.data.base import ImageDataModule, ImagesInMemory
from vqvae.errors import DataError

TRAINING_IMAGES = 50_000


class CIFAR10(ImageDataModule):
    """60,000 colour images of 32×32 (Krizhevsky 2009): 50,000 to train, 10,000 to test.

    Args:
        root: folder that holds `cifar-10-batches-py`; downloaded to it if missing.
        batch_size: images per batch.
        validation: number of images of the validation set: the last ones of the training images.
        hold_out: whether the validation images are held out. Otherwise all 50,000 are trained on, and validation only
            shows the progress.
        workers: processes that prepare batches.
    """

    def __init__(self, root: str, batch_size: int, validation: int = 1000, hold_out: bool = True, workers: int = 0):
        super().__init__(batch_size, workers)
        if not 1 <= validation < TRAINING_IMAGES:
            raise DataError(f"data.validation is {validation}, but must be from 1 to {TRAINING_IMAGES - 1} images")
        self.root = Path(root)
        self.validation = validation
        self.hold_out = hold_out

    def prepare_data(self) -> None:
        load_cifar10(self.root, train=False)

    def setup(self, stage: str | None = None) -> None:
        images = load_cifar10(self.root, train=True)
        kept = len(images) - self.validation
        self.train_set = ImagesInMemory(images[:kept] if self.hold_out else images, flip=True)
        self.val_set = ImagesInMemory(images[kept:])
        self.test_set = ImagesInMemory(load_cifar10(self.root, train=False))


def load_cifar10(root: Path, train: bool) -> UInt8[Tensor, "n 3 32 32"]:
    """Reads the training or the test images, downloading them if they are missing.

    Raises:
        DataError: they are missing and cannot be downloaded.
    """
    try:
        data = TorchvisionCIFAR10(str(root), train, download=False)
    except RuntimeError:
        try:
            data = TorchvisionCIFAR10(str(root), train, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"CIFAR10 is not in {root}/cifar-10-batches-py and cannot be downloaded ({error}): unpack "
                f"cifar-10-python.tar.gz there, or name the folder that holds it with data.root=FOLDER "
                f"(training) or --data FOLDER (evaluation)"
            ) from error
    return torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
