"""What tells a model's files from those of other models."""

from typing import NamedTuple


class ModelId(NamedTuple):
    """SHA-256 digests of everything that decoding depends on; docs/format.md says of what exactly, and in which order.

    Attributes:
        whole: of decoder, quantiser and entropy model.
        weights: of decoder and quantiser alone: for files of fixed width, which need no entropy model.
        aliases: earlier ids of the same model, (whole, weights) each, by which files of versions 1 to 3 and older
            archives name it.
    """

    whole: bytes
    weights: bytes
    aliases: tuple[tuple[bytes, bytes], ...] = ()

    def of(self, entropy_code: int) -> bytes:
        """The digest for a file that this kind of entropy model coded; fixed width has code 0."""
        return self.whole if entropy_code else self.weights

    def earlier(self, entropy_code: int) -> list[bytes]:
        """The same of earlier ids."""
        return [whole if entropy_code else weights for whole, weights in self.aliases]
