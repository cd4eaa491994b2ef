"""What a quality from 0 to 100 means."""

from typing import Any, NamedTuple

from vqvae.errors import ConfigError

LARGEST = 1e30
"""What a bit may be worth: single precision holds it, and its products with bits and distances."""


class Qualities(NamedTuple):
    """The range that a model was trained for, of what a bit is worth in squared distance between vectors.

    Attributes:
        finest: at quality 100.
        coarsest: at quality 0.
    """

    finest: float
    coarsest: float

    @classmethod
    def from_config(cls, config: Any) -> "Qualities":
        """Of a model's config.

        Raises:
            ConfigError: it does not say 0 < finest < coarsest.
        """
        try:
            qualities = cls(**{key: float(value) for key, value in config.items()})
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ConfigError(f"invalid qualities: expected numbers for finest and coarsest ({error})") from None
        if not 1 / LARGEST < qualities.finest < qualities.coarsest < LARGEST:
            raise ConfigError(
                f"invalid qualities: finest is {qualities.finest:g} and coarsest {qualities.coarsest:g}, but expected "
                f"{1 / LARGEST:g} < finest < coarsest < {LARGEST:g}"
            )
        return qualities

    def weight(self, quality: float) -> float:
        """What a bit is worth: evenly spaced in its logarithm.

        Raises:
            ValueError: the quality is not from 0 to 100.
        """
        if not 0 <= quality <= 100:
            raise ValueError(f"the quality is {quality}, but must be from 0 to 100")
        return self.coarsest * (self.finest / self.coarsest) ** (quality / 100)
