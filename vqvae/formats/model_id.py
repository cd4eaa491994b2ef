"""Model ids."""

from typing import NamedTuple


class ModelId(NamedTuple):
    """SHA-256 digests of everything that decoding depends on; defined in docs/format.md.

    Attributes:
        whole: of decoder, quantiser and entropy model.
        weights: of decoder and quantiser alone: for files of fixed width, which need no entropy model.
        aliases: earlier ids of the model, (whole, weights) each, used by files of versions 1 to 3 and older archives.
    """

    whole: bytes
    weights: bytes
    aliases: tuple[tuple[bytes, bytes], ...] = ()

    def of(self, entropy_code: int) -> bytes:
        """The digest for a file coded by this kind of entropy model; 0 is fixed width."""
        return self.whole if entropy_code else self.weights

    def earlier(self, entropy_code: int) -> list[bytes]:
        """The digests of the aliases, likewise."""
        return [whole if entropy_code else weights for whole, weights in self.aliases]
