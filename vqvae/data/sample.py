"""Photographs that come with scikit-image: nothing to download."""

import numpy as np
import skimage.data
import torch
from jaxtyping import UInt8
from torch import Tensor

from vqvae.data.base import ImageDataModule
from vqvae.data.checks import check_least
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.errors import DataError, reason_of

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
        check_least(crop=(crop, 1), crops_per_image=(crops_per_image, 1))
        self.crop = crop
        self.crops_per_image = crops_per_image

    def setup(self, stage: str | None = None) -> None:
        self.train_set = RandomCrops([load_photo(name) for name in TRAINED], self.crop, self.crops_per_image)
        self.val_set, self.test_set = (
            FixedCrops([load_photo(name)], self.crop, per_image=32) for name in (VALIDATION, TEST)
        )


def load_photo(name: str) -> UInt8[Tensor, "3 H W"]:
    """One of scikit-image's photographs; of a stereo pair, the left one.

    Raises:
        DataError: there is no such photograph, or it cannot be downloaded, or is not of 8-bit RGB.
    """
    try:
        loaded = getattr(skimage.data, name)()
    except AttributeError:
        raise DataError(f"{name}: neither a file nor a photograph of scikit-image, such as astronaut") from None
    except Exception as error:  # pooch's, for instance, without a network
        raise DataError(f"{name}: scikit-image cannot give this photograph ({reason_of(error)})") from None
    pixels = loaded[0] if isinstance(loaded, tuple) else loaded
    if getattr(pixels, "dtype", None) != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f"{name}: not an 8-bit RGB photograph: name another of scikit-image's, such as astronaut")
    return torch.tensor(pixels).permute(2, 0, 1).contiguous()
