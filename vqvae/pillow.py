"""Pillow's plug-in for .vqz files: `import vqvae.pillow`, and `Image.open` and `Image.save` know them.

Opening reads the file's fields alone: size, mode, profile, EXIF and XMP. PyTorch and a model are loaded when the pixels
of a first image are.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFile
from PIL.ImageFile import _Tile

import vqvae
from vqvae.errors import BitstreamError, ImageError, UnknownModelError
from vqvae.formats import Kind
from vqvae.formats.vqz import MAGIC, READABLE, split
from vqvae.media.images import from_image, mode_of, to_image
from vqvae.media.metadata_chunks import to_metadata

if TYPE_CHECKING:
    from vqvae.media.images import Picture
    from vqvae.models.store import ModelStore

FORMAT = "VQZ"

_models: list[str] = []  # files of models beyond the bundled ones


def add_model(model: str | Path) -> None:
    """Adds a model file to those that images are opened with, besides the bundled ones.

    Args:
        model: the path of the model file.

    Raises:
        ModelFileError: it is not there, damaged, or not one of ours.
    """
    _store(str(model)).preload()
    _models.append(str(model))


class VqzImageFile(ImageFile.ImageFile):
    """An image in a .vqz file; it is decoded when its pixels are first needed.

    Raises:
        OSError: it is damaged, or made with a model that is neither bundled nor was given to `add_model`.
    """

    format = FORMAT
    format_description = "Vector-quantised image"

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        with _as_os_errors():
            file = split(self._data)
            chunks = file.chunks
            metadata = to_metadata(chunks)
        self._size = file.width, file.height
        self._mode = mode_of(Kind.GREY in chunks, metadata["profile"], Kind.ALPHA in chunks)
        self.info |= {name: data for name, data in metadata.items() if data}
        if "profile" in self.info:
            self.info["icc_profile"] = self.info.pop("profile")
        self._progressive, self._stages = file.progressive, len(file.sections)
        self.tile = [_Tile("raw", (0, 0, *self.size), 0, self.mode)]

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decodes fewer stages of a progressive file, for an image that is going to be made smaller.

        A share of the stages is kept as large as the share of the width or height that is: size, mode stay the same.

        Args:
            mode: of no effect.
            size: what the image is going to be reduced to, as `Image.thumbnail` says.
        """
        if not (self.tile and self._progressive and size):
            return None
        share = max(new / old for new, old in zip(size, self.size, strict=True))
        self._stages = min(self._stages, max(1, ceil(share * self._stages)))
        return self.mode, (0, 0, float(self.width), float(self.height))

    def load(self) -> Any:
        """Decodes the image, unless it has been."""
        if self.tile:
            stages = self._stages if self._progressive else None
            with _as_os_errors():
                pixels = to_image(_decompress(self._data, stages)).tobytes()
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp, self._data = BytesIO(pixels), b""
        return super().load()


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What cannot be opened or saved is an OSError to those who use Pillow."""
    try:
        yield
    except (BitstreamError, ImageError) as error:
        raise OSError(str(error)) from error


def _decompress(data: bytes, stages: int | None) -> "Picture":
    for model in (None, *_models):
        with suppress(UnknownModelError):
            return vqvae.decompress_picture(data, _store(model), stages=stages)
    raise BitstreamError("made with a model that is not known here: give its file to vqvae.pillow.add_model")


@lru_cache(maxsize=8)
def _store(model: str | None, variable_rate: bool = False) -> "ModelStore":
    return vqvae.ModelStore(model, variable_rate=variable_rate)


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC) and prefix[2] >> 4 in READABLE


def _save(image: Image.Image, file: Any, filename: str | bytes) -> None:
    """Writes a .vqz file, for `Image.save`.

    Its options are `quality`, `effort`, `progressive` and `model`, as those of `vqvae.compress_file`, and Pillow's
    `icc_profile`, by default that of the image, `exif` and `xmp`.
    """
    options = image.encoderinfo
    exif = options.get("exif")
    with _as_os_errors():
        pixels = from_image(image)
    picture = pixels._replace(
        profile=options.get("icc_profile", image.info.get("icc_profile")),
        exif=exif.tobytes() if isinstance(exif, Image.Exif) else exif,
        xmp=options.get("xmp"),
    )
    model = None if options.get("model") is None else str(options["model"])
    quality = None if options.get("quality") is None else float(options["quality"])
    effort, progressive = options.get("effort", 0), options.get("progressive", False)
    codec = _store(model, quality is not None or effort > 0).for_image(picture.pixels)
    file.write(vqvae.compress_picture(codec, picture, quality=quality, progressive=progressive, effort=effort))


Image.register_open(FORMAT, VqzImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".vqz")
Image.register_mime(FORMAT, "image/x-vqz")
