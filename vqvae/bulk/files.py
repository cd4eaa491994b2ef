"""Image files to .vqz files, sound files to .vqs files, and back, one at a time."""

import os
from pathlib import Path

from vqvae.bulk.plan import Job
from vqvae.bulk.speech import CompressSpeech, DecompressSpeech, SpeechFileResult
from vqvae.bulk.tasks import CompressFiles, DecompressFiles, FileResult
from vqvae.codec import ImageCodec
from vqvae.entropy.base import Track
from vqvae.errors import UsageError
from vqvae.media.images import Picture
from vqvae.media.metadata_chunks import to_chunks, to_picture
from vqvae.models.store import ModelStore
from vqvae.speech.codec import DEFAULT_RATE


def compress_picture(
    codec: ImageCodec, picture: Picture, *, quality: float | None = None, progressive: bool = False, effort: int = 0
) -> bytes:
    """The .vqz file for a picture, with its metadata.

    Args:
        codec: of a model.
        picture: pixels, transparency, profile and metadata.
        quality: from 0 to 100, of a variable-rate model; None for the default.
        progressive: whether the file may be cut after any stage.
        effort: from 0 to 9: how long to search for indices of less error and fewer bits.
    """
    chunks = to_chunks(picture)
    return codec.compress(picture.pixels, quality=quality, progressive=progressive, chunks=chunks, effort=effort)


def decompress_picture(
    data: bytes, model: str | Path | ModelStore | None = None, *, stages: int | None = None
) -> Picture:
    """The picture of a .vqz file.

    Args:
        data: the file's bytes.
        model: the model file, unless a bundled model made the file; for many files, a store.
        stages: decode the first stages only.

    Raises:
        BitstreamError: the file is foreign, truncated, corrupt, or made with another model.
        ModelFileError: its model cannot be found.
    """
    codec, container = _store(model).unpack(data, stages)
    (pixels,) = codec.decompress_batch([container.coded], container.height, container.width, stages)
    return to_picture(pixels, container.chunks)


def compress_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    model: str | Path | ModelStore | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    psnr: float | None = None,
    progressive: bool = False,
    metadata: bool = False,
    kbps: int | float | None = None,
    constant: bool = False,
    overwrite: bool = False,
    effort: int = 0,
    track: Track = iter,
) -> FileResult | SpeechFileResult:
    """Compresses an image to a .vqz file, or a sound file to a .vqs file, written atomically.

    Args:
        source: the image, or the recording of speech.
        target: the file to write; its suffix chooses between images and speech.
        model: name of a bundled model, or a model file; by default the bundled one that suits the input. For many
            files, a store, which loads each model once.
        quality: from 0 to 100, of a variable-rate model; None for the default.
        bpp: instead of a quality: the most bits per pixel that the file may take.
        psnr: instead of a quality: the least PSNR that the image must have, in dB, before any search by `effort`.
        progressive: whether the file may be cut after any stage.
        metadata: whether to keep EXIF and XMP.
        kbps: of speech, the rate in kbit/s; None for the default.
        constant: of speech, whether every frame keeps to the rate.
        overwrite: whether to replace a target that exists; otherwise it is kept.
        effort: from 0 to 9: how long to search for indices of less error and fewer bits.
        track: iterates over the steps of that search, and may show progress or end it.

    Raises:
        ImageError: the image cannot be read, or not be kept without loss of information.
        AudioError: the sound file cannot be read.
        UsageError: the model has a single rate, the rate cannot be reached, or an option does not suit the target.
    """
    job, asked = Job(Path(source), Path(target)), [one for one in (quality, bpp, psnr) if one is not None]
    if job.target.suffix.lower() == ".vqs":
        if asked or progressive or metadata or effort:
            options = "quality, bpp, psnr, progressive, metadata and effort"
            raise UsageError(f"{target}: {options} are for images: leave them out")
        rate = DEFAULT_RATE if kbps is None else kbps
        return CompressSpeech(_store(model), overwrite, kbps=rate, constant=constant)(job)
    if kbps is not None or constant:
        raise UsageError(f"{target}: kbps and constant are for speech: leave them out, or name a .vqs file")
    if len(asked) > 1:
        raise UsageError("quality, bpp and psnr all choose the rate: leave out all but one")
    store = _store(model, bool(asked) or effort > 0)
    task = CompressFiles(
        store,
        overwrite,
        quality=quality,
        bpp=bpp,
        psnr=psnr,
        progressive=progressive,
        metadata=metadata,
        effort=effort,
        track=track,
    )
    return task(job)


def decompress_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    model: str | Path | ModelStore | None = None,
    stages: int | None = None,
    overwrite: bool = False,
) -> FileResult | SpeechFileResult:
    """Decompresses a .vqz file to an image, or a .vqs file to a sound file; written atomically.

    Args:
        source: the .vqz or .vqs file.
        target: the file to write; its suffix chooses the format.
        model: the model file, unless a bundled model made the file; for many files, a store.
        stages: decode the first stages only.
        overwrite: whether to replace a target that exists; otherwise it is kept.

    Raises:
        BitstreamError: the file is foreign, truncated, corrupt, or made with another model.
        ModelFileError: its model cannot be found.
        ImageError: the format cannot be written, or cannot hold the picture.
        AudioError: the format cannot be written.
        UsageError: stages are asked for of speech.
    """
    if Path(source).suffix.lower() == ".vqs":
        if stages is not None:
            raise UsageError(f"{source}: stages are for images: leave them out")
        return DecompressSpeech(_store(model), overwrite)(Job(Path(source), Path(target)))
    return DecompressFiles(_store(model), overwrite, stages=stages)(Job(Path(source), Path(target)))


def _store(model: str | Path | ModelStore | None, variable_rate: bool = False) -> ModelStore:
    return model if isinstance(model, ModelStore) else ModelStore(model, variable_rate=variable_rate)
