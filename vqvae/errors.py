"""The errors that people are meant to read: each is one line that says what, why, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class VqvaeError(Exception):
    """Something that a person can mend. The command line prints its text alone, without a traceback."""


class BitstreamError(VqvaeError):
    """A compressed file is truncated, corrupt, foreign, or made with another model."""


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


class MissingPackageError(VqvaeError, ImportError):
    """An optional package is needed, and not installed."""


@contextmanager
def errors_of(thing: object) -> Iterator[None]:
    """Names a file, or whatever else it may be, in front of what errors say of it."""
    try:
        yield
    except VqvaeError as error:
        raise type(error)(f"{thing}: {error}") from None
