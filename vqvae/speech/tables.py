"""The integer tables of the speech codec, and what symbols cost by them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, Int32, Int64

from vqvae.entropy.range_coder import PRECISION
from vqvae.speech.spectrum import CONTEXTS, LARGEST, SCALES

LARGEST_CHANGE = 64  # of a frame's step size from one frame to the next, in either direction


class Tables(NamedTuple):
    """Frequencies, each less 1, that add up to 2^24 − K, and reconstruction levels; part of the model file.

    Attributes:
        bins: of a bin's value from −`LARGEST` to `LARGEST`, by half, scale class and context class.
        levels: how a bin is reconstructed (`spectrum.dequantise`), by the same classes.
        indices: of an envelope's index, by stage, the same index of the frame before, and the index before in the frame
            (0 for the first stage).
        changes: of the change of the step size, from −`LARGEST_CHANGE` on.
    """

    bins: Int32[np.ndarray, "2 S X values"]
    levels: Int[np.ndarray, "2 S X levels"]
    indices: Int32[np.ndarray, "M K K K"]
    changes: Int32[np.ndarray, " C"]


class Interval(NamedTuple):
    """The part of the range coder's interval that a symbol takes: what is below it, and its own, of 2^24."""

    below: Int32[np.ndarray, "*n"]
    own: Int32[np.ndarray, "*n"]


class Alphabet:
    """Tables of frequencies by class, ready for the range coder.

    Args:
        frequencies: each less 1; the last axis are the symbols.
    """

    def __init__(self, frequencies: Int32[np.ndarray, "*classes K"]):
        self.size = frequencies.shape[-1]
        self.rows = frequencies.astype(np.float32)
        ends = np.cumsum(frequencies.astype(np.int64) + 1, -1).reshape(-1, self.size)
        self._ends = ends.astype(np.int32)
        self._own = (frequencies + 1).reshape(-1, self.size).astype(np.int32)
        self._bits = (PRECISION - np.log2(self._own)).astype(np.float32).ravel()

    def bits(self, place: Int64[np.ndarray, "*n"], symbols: Int[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
        """What symbols take, in bits; `place` numbers the classes."""
        return self._bits[place * self.size + symbols]

    def intervals(self, place: Int64[np.ndarray, "*n"], symbols: Int[np.ndarray, "*n"]) -> Interval:
        """The coder's intervals of symbols."""
        own = self._own[place, symbols]
        return Interval(self._ends[place, symbols] - own, own)


def escape_bits(magnitudes: Int[np.ndarray, "*n N"]) -> Float[np.ndarray, "*n"]:
    """Bits that follow magnitudes from `LARGEST` on: Elias gamma codes."""
    rest = np.maximum(magnitudes - LARGEST + 1, 1)
    length = 2 * np.frexp(rest)[1] - 1  # frexp's exponent is the number of bits of an integer
    return np.where(magnitudes >= LARGEST, length, 0).sum(-1).astype(np.float64)


def check_tables(tables: Tables, stages: int, size: int) -> None:
    """Raises ValueError where tables, which may come from a foreign file, hold what none can hold."""
    classes = (2, SCALES, CONTEXTS)
    shapes = {
        "bins": (*classes, 2 * LARGEST + 1),
        "levels": (*classes, LARGEST + 1),
        "indices": (stages, size, size, size),
        "changes": (2 * LARGEST_CHANGE + 1,),
    }
    for name, shape in shapes.items():
        if getattr(tables, name).shape != shape:
            raise ValueError(f"the table of {name} has shape {getattr(tables, name).shape}, but must have {shape}")
    for name in ("bins", "indices", "changes"):
        frequencies = getattr(tables, name).astype(np.int64)
        if (frequencies < 0).any() or (frequencies.sum(-1) != (1 << PRECISION) - frequencies.shape[-1]).any():
            raise ValueError(f"the frequencies of {name} are not integers that sum to 2^24")
