"""Settings of data modules that are told at once, before anything is read."""

from vqvae.errors import DataError


def check_least(**settings: tuple[int, int]) -> None:
    """Compares settings with the least values that make sense.

    Args:
        settings: by name, the value and the least that it may be.

    Raises:
        DataError: a value is smaller.
    """
    for name, (value, least) in settings.items():
        if value < least:
            raise DataError(f"data.{name} is {value}, but must be at least {least}")
