"""Photographs that come with scikit-image: no network, no data set."""

import skimage.data
import torch
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.crops import FixedCrops, RandomCrops

TRAINED = ("coffee", "rocket", "stereo_motorcycle", "retina", "hubble_deep_field", "immunohistochemistry")
VALIDATION, TEST = "chelsea", "astronaut"


class SamplePhotos(ImageDataModule):
    """Crops from the photographs that scikit-image ships; one is held out for validation, and one for test.

    Args:
        batch_size: crops per batch.
        crop: height and width of the crops, in pixels.
        crops_per_image: crops drawn from each photograph in an epoch.
        workers: processes that prepare batches.
    """

    def __init__(self, batch_size: int, crop: int, crops_per_image: int = 512, workers: int = 0):
        super().__init__(batch_size, workers)
        self.crop = crop
        self.crops_per_image = crops_per_image

    def setup(self, stage: str | None = None) -> None:
        self.train_set = RandomCrops([load_photo(name) for name in TRAINED], self.crop, self.crops_per_image)
        self.val_set, self.test_set = (
            FixedCrops([load_photo(name)], self.crop, per_image=32) for name in (VALIDATION, TEST)
        )


def load_photo(name: str) -> UInt8[Tensor, "3 H W"]:
    """One of scikit-image's photographs; of a stereo pair, the left one."""
    loaded = getattr(skimage.data, name)()
    pixels = loaded[0] if isinstance(loaded, tuple) else loaded
    return torch.tensor(pixels).permute(2, 0, 1).contiguous()
