"""Errors for people: each is one line with the value, the rule and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager


class VqvaeError(Exception):
    """An error that a person can fix. The command line prints only its message, without a traceback."""


class BitstreamError(VqvaeError):
    """A compressed file is truncated, corrupt, foreign, or made with another model."""


class UnknownModelError(BitstreamError):
    """A compressed file was made with a model that is not among the known ones."""


class ModelFileError(VqvaeError):
    """A model file is truncated, corrupt, foreign, or missing."""


class ImageError(VqvaeError):
    """An image cannot be read, or not be kept without loss of information."""


class AudioError(VqvaeError):
    """A sound file cannot be read, or not be written in this format."""


class ConfigError(VqvaeError, ValueError):
    """A config names an unknown component or has invalid arguments."""


class DataError(VqvaeError):
    """A data set is missing or invalid."""


class UsageError(VqvaeError):
    """A command was called with invalid options or arguments."""


class NotFiniteError(VqvaeError, ValueError):
    """Vectors contain NaN or infinity."""


class MissingPackageError(VqvaeError, ImportError):
    """An optional package is required, but not installed."""


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
    """Prefixes messages of errors with the name of a file or another thing."""
    try:
        yield
    except VqvaeError as error:
        raise type(error)(f"{thing}: {error}") from None


def reason_of(error: Exception) -> str:
    """The message of a library's exception, in one line; its type, if the message is empty."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__


def one_line(error: Exception, thing: object) -> str:
    """The one line that a person reads about an exception that ended the work on something."""
    if isinstance(error, VqvaeError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or thing}: {reason_of(error)}"
    kind = "" if isinstance(error, MemoryError) else f"{type(error).__name__}: "
    return f"{thing}: {kind}{reason_of(error)}"
