"""What is compared: a model of ours, and the image formats that Pillow writes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vqvae.codec import ImageCodec
from vqvae.errors import ImageError, MissingPackageError, UsageError, reason_of
from vqvae.media.formats import MAX_SIDES

Quality = int | float | None
"""What a coder is asked for; None where it has a single rate."""

MODEL_QUALITIES = tuple(10.0 * step for step in range(11))


class Coder(ABC):
    """Turns images into bytes and back, at several qualities.

    Attributes:
        name: what people call it.
        qualities: those that its curve is made of, from low rates to high ones.
    """

    name: str
    qualities: Sequence[Quality]

    @abstractmethod
    def encode(self, image: UInt8[np.ndarray, "H W 3"], quality: Quality) -> bytes:
        """The file for an image."""

    @abstractmethod
    def decode(self, data: bytes) -> UInt8[np.ndarray, "H W 3"]:
        """The image of a file."""


class ModelCoder(Coder):
    """One of our models; its curve is a single point where it has a single rate.

    Args:
        name: of the model.
        codec: made of it.
        effort: of the encoder, from 0 to 9.
    """

    def __init__(self, name: str, codec: ImageCodec, effort: int = 0):
        self.name = f"{name}, effort {effort}" if effort else name
        self.codec, self.effort = codec, effort
        self.qualities = MODEL_QUALITIES if codec.variable_rate else (None,)

    def encode(self, image: UInt8[np.ndarray, "H W 3"], quality: Quality) -> bytes:
        return self.codec.compress(image, quality=quality, effort=self.effort)

    def decode(self, data: bytes) -> UInt8[np.ndarray, "H W 3"]:
        return self.codec.decompress(data)


class PillowCoder(Coder):
    """A format that Pillow writes; its files are held in memory.

    Args:
        name: what people call it.
        format: Pillow's name of it.
        qualities: see `Coder`; whole numbers, as Pillow wants them.
        plugin: module and distribution that add the format to Pillow, if Pillow does not bring it.
        options: what else Pillow's `save` is given.
    """

    qualities: Sequence[int]

    def __init__(
        self, name: str, format: str, qualities: Sequence[int], plugin: tuple[str, str] | None = None, **options: Any
    ):
        self.name = name
        self.format = format
        self.plugin = plugin
        self.qualities = qualities
        self.options = options

    def load_plugin(self) -> None:
        """Makes the format known to Pillow.

        Raises:
            MissingPackageError: what adds it is not installed.
        """
        if self.plugin is None:
            return
        module, distribution = self.plugin
        try:
            import_module(module)
        except ImportError:
            raise MissingPackageError(
                f"{self.name} needs {distribution}: pip install 'vqkit[jxl]', or leave it out"
            ) from None

    def encode(self, image: UInt8[np.ndarray, "H W 3"], quality: Quality) -> bytes:
        """The file for an image.

        Raises:
            ImageError: the format cannot hold it.
        """
        file = BytesIO()
        most = MAX_SIDES.get(self.format)
        if most is not None and max(image.shape) > most:
            raise ImageError(f"{self.name} cannot hold it (at most {most} pixels in each direction)")
        try:
            Image.fromarray(image).save(file, self.format, quality=quality, **self.options)
        except Exception as error:
            raise ImageError(f"{self.name} cannot hold it ({reason_of(error)})") from None
        return file.getvalue()

    def decode(self, data: bytes) -> UInt8[np.ndarray, "H W 3"]:
        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))


AVIF_QUALITIES = (10, 15, 20, 25, 30, 37, 44, 50, 56, 63, 70, 76, 83, 89, 95)
PILLOW_CODERS = {
    coder.name: coder
    for coder in (
        PillowCoder(
            "jpeg", "JPEG", (4, 7, 10, 15, 20, 30, 40, 50, 58, 65, 72, 79, 88, 93), optimize=True, subsampling="4:2:0"
        ),
        PillowCoder("webp", "WEBP", (0, 1, 5, 10, 20, 30, 40, 55, 65, 76, 80, 85, 91, 95), method=6),
        PillowCoder("avif", "AVIF", AVIF_QUALITIES),
        PillowCoder("avif-444", "AVIF", AVIF_QUALITIES, subsampling="4:4:4"),
        PillowCoder("avif-slow", "AVIF", AVIF_QUALITIES, subsampling="4:4:4", speed=0),
        PillowCoder("jxl", "JXL", (10, 20, 30, 40, 50, 60, 70, 80, 86, 91, 95), ("pillow_jxl", "pillow-jxl-plugin")),
    )
}
"""By name; about 0.1 to 2.5 bits per pixel on Kodak."""


def pillow_coders(names: Iterable[str]) -> list[PillowCoder]:
    """The coders of these names, each once.

    Raises:
        UsageError: there is no such name.
        MissingPackageError: this Pillow was built without the format.
    """
    coders = []
    Image.init()  # loads all formats, so that SAVE is complete
    for name in dict.fromkeys(names):
        if name not in PILLOW_CODERS:
            raise UsageError(f"there is no codec {name!r} to compare with: choose from {', '.join(PILLOW_CODERS)}")
        coder = PILLOW_CODERS[name]
        coder.load_plugin()
        if coder.format not in Image.SAVE:
            raise MissingPackageError(
                f"{name}: this Pillow cannot write it: pip install --upgrade pillow, or leave it out"
            )
        coders.append(coder)
    return coders
