"""Checks of the settings of data modules, before anything is read."""

from vqvae.errors import DataError


def check_least(**settings: tuple[int, int]) -> None:
    """Compares settings with their minima.

    Args:
        settings: by name, the value and its minimum.

    Raises:
        DataError: a value is below its minimum.
    """
    for name, (value, least) in settings.items():
        if value < least:
            raise DataError(f"data.{name} is {value}, but must be at least {least}")
