"""The errors that people are meant to read: each is one line that says what, why, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class VqvaeError(Exception):
    """Something that a person can mend. The command line prints its text alone, without a traceback."""


class BitstreamError(VqvaeError):
    """A compressed file is truncated, corrupt, foreign, or made with another model."""


class UnknownModelError(BitstreamError):
    """A compressed file was made with a model that is not among those that could be tried."""


class ModelFileError(VqvaeError):
    """A model file is truncated, corrupt, foreign, or not there."""


class ImageError(VqvaeError):
    """An image cannot be read, or is of a kind that would lose something unasked."""


class AudioError(VqvaeError):
    """A sound file cannot be read, or is of a kind that cannot be written."""


class ConfigError(VqvaeError, ValueError):
    """A config names something that is not ours, or arguments that make no sense."""


class DataError(VqvaeError):
    """A data set is not where it should be."""


class UsageError(VqvaeError):
    """A command was called in a way that makes no sense."""


class NotFiniteError(VqvaeError, ValueError):
    """Vectors hold NaN or infinity."""


class MissingPackageError(VqvaeError, ImportError):
    """An optional package is needed, and not installed."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Names the extra to install, where an import fails because a package is not there.

    Args:
        extra: of those in pyproject.toml, such as `train`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "vqvae":
            raise
        raise MissingPackageError(f"{package} is not installed: pip install 'vqkit[{extra}]'") from None


@contextmanager
def errors_of(thing: object) -> Iterator[None]:
    """Names a file, or whatever else it may be, in front of what errors say of it."""
    try:
        yield
    except VqvaeError as error:
        raise type(error)(f"{thing}: {error}") from None


def reason_of(error: Exception) -> str:
    """What an exception of a library says, in one line; its kind, where it says nothing."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__


def one_line(error: Exception, thing: object) -> str:
    """An exception that ended the work on something, as the one line that a person reads."""
    if isinstance(error, VqvaeError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or thing}: {reason_of(error)}"
    kind = "" if isinstance(error, MemoryError) else f"{type(error).__name__}: "
    return f"{thing}: {kind}{reason_of(error)}"
