"""Sound files to samples and back: whatever libsndfile reads and writes, WAV, FLAC and OGG among others."""

from math import gcd
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from vqvae.errors import AudioError, MissingPackageError

READABLE_AUDIO = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au")

HEADER_BYTES = 12


def is_audio_header(data: bytes) -> bool:
    """Whether a file that begins with these `HEADER_BYTES` bytes is WAV, FLAC, OGG, AIFF or AU."""
    riff = data[:4] in (b"RIFF", b"RF64") and data[8:] == b"WAVE"
    aiff = data[:4] == b"FORM" and data[8:] in (b"AIFF", b"AIFC")
    return riff or aiff or data[:4] in (b"fLaC", b"OggS", b".snd")


class Recording(NamedTuple):
    """A sound file's samples, as they are asked for.

    Attributes:
        samples: from −1 to 1, one channel.
        changes: what was done to them, in words; empty where the file was as asked for.
    """

    samples: Float32[np.ndarray, " n"]
    changes: tuple[str, ...]


def read_audio(path: Path, rate: int) -> Recording:
    """Reads a sound file as one channel at a sampling rate.

    Args:
        path: the file.
        rate: samples per second.

    Raises:
        OSError: there is no such file.
        AudioError: it is damaged, or of a type that libsndfile does not read.
        MissingPackageError: `soundfile` is not installed.
    """
    soundfile = _soundfile()
    try:
        with path.open("rb") as file:
            channels, own_rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise AudioError(f"{path}: damaged, or not a sound file of a type that libsndfile reads ({reason})") from None
    if not np.isfinite(channels).all():
        raise AudioError(f"{path}: holds samples that are not numbers: repair the file")
    changes = []
    if channels.shape[1] > 1:
        changes.append(f"{channels.shape[1]} channels mixed into one")
    if own_rate != rate:
        changes.append(f"resampled from {own_rate} to {rate} Hz")
    return Recording(resample(channels.mean(1), own_rate, rate), tuple(changes))


def write_audio(samples: Float[np.ndarray, " n"], rate: int, path: Path, suffix: str) -> None:
    """Writes samples from −1 to 1 as 16 bits.

    Args:
        samples: one channel.
        rate: samples per second.
        path: the file.
        suffix: its type, as in ".wav".

    Raises:
        AudioError: libsndfile does not write this type.
        MissingPackageError: `soundfile` is not installed.
    """
    soundfile, kind = _soundfile(), check_writable_audio(suffix)
    rounded = np.clip(np.round(samples.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    with path.open("wb") as file:
        soundfile.write(file, rounded, rate, format=kind)


def check_writable_audio(suffix: str) -> str:
    """What libsndfile calls the type of a sound file.

    Args:
        suffix: of the file's name, as in ".wav".

    Raises:
        AudioError: libsndfile does not write this type.
        MissingPackageError: `soundfile` is not installed.
    """
    soundfile, kind = _soundfile(), suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats() or soundfile.default_subtype(kind) is None:  # as of raw samples
        raise AudioError(f"cannot write sound of type {suffix!r}: use .wav or .flac")
    return kind


def resample(samples: Float[np.ndarray, " n"], own_rate: int, rate: int) -> Float32[np.ndarray, " m"]:
    """Samples at another rate, by polyphase filtering; as they are where the rate is the same."""
    if own_rate == rate:
        return samples.astype(np.float32)
    from scipy.signal import resample_poly  # takes a while to import

    common = gcd(own_rate, rate)
    return resample_poly(samples.astype(np.float64), rate // common, own_rate // common).astype(np.float32)


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except ImportError:
        raise MissingPackageError(
            "sound files need the package soundfile, which is not installed: pip install 'vqkit[speech]'"
        ) from None
    return soundfile
