"""Symbols to bytes and back by range coding, with integer frequencies.

The coder is that of constriction 0.5 (Bamler 2022, arXiv 2201.01741), checked when it is first used; docs/format.md
describes it in a few lines of integer arithmetic. The K frequencies of a symbol are at least 1 each, and 2^24 together.
Passed on is what each has above 1, in float32: constriction takes probabilities p in floating point and makes
frequencies 1 + floor(p (2^24 - K) / Σp) of them, so when Σp = 2^24 - K, there is nothing left to round. All of them
are integers below 2^24, which float32 holds exactly and adds exactly in any order.
"""

from functools import cache
from importlib.metadata import version
from typing import Any

import constriction
import numpy as np
from jaxtyping import Float, Float32, Int, Int32, Int64, UInt32, UInt64

from vqvae.errors import BitstreamError, MissingPackageError

PRECISION = 24  # bits of the sum of all frequencies
MAX_PROBABILITY_RATIO = 256  # of the likeliest symbol to all others together
MIN_SYMBOL_BITS = 0.005  # so that each symbol takes more than this
KNOWN_PAYLOAD = bytes.fromhex(
    "8ee786c8749af83859de27511975cba608d7a00a90d378f9b453d628ec4c67414ba64f23a10503855336f445872a5b1c"
)  # of `check_constriction`
WORD = 32  # bits that the coder moves at once
_CATEGORICAL = constriction.stream.model.Categorical
_FAMILY = _CATEGORICAL(perfect=False)


def to_frequencies(weights: Int64[np.ndarray, "*n K"]) -> Float32[np.ndarray, "*n K"]:
    """Weights from 0 to 2^20 as frequencies less 1, in integer arithmetic alone.

    No symbol becomes quite certain: the K - 1 others share at least a 256th of the likeliest one's weight. So every
    symbol takes at least log2 (257 / 256) = 0.0056 bits, and a payload's size bounds the number of symbols in it.
    """
    size = weights.shape[-1]
    floor = weights.max(-1, keepdims=True) // (MAX_PROBABILITY_RATIO * (size - 1)) + 1
    raised = np.maximum(weights, floor)
    spare = (1 << PRECISION) - size
    factor = (spare << 20) // raised.sum(-1, keepdims=True)
    frequencies = raised * factor >> 20
    frequencies[..., -1] += spare - frequencies.sum(-1)
    return frequencies.astype(np.float32)


def check_length(payload: bytes, number: int) -> None:
    """Raises BitstreamError if the payload cannot hold so many symbols, before time or memory is spent on them."""
    if number * MIN_SYMBOL_BITS > 8 * (len(payload) + 8):
        raise BitstreamError(f"the payload of {len(payload)} bytes is too short for {number} indices: it is damaged")


def symbol_bits(symbols: Int[np.ndarray, " n"], frequencies: Float32[np.ndarray, "*n K"]) -> Float[np.ndarray, " n"]:
    """Bits that each symbol takes: log2 (2^24 / f)."""
    rows = np.broadcast_to(frequencies, (len(symbols), frequencies.shape[-1]))
    chosen = np.take_along_axis(rows, symbols[:, None], 1)
    return PRECISION - np.log2(chosen[:, 0].astype(np.float64) + 1)


def _model(frequencies: Float32[np.ndarray, "*n K"]) -> tuple[Any, ...]:
    """As constriction takes it: one model for all symbols, or a kind of model and a row of parameters for each."""
    if frequencies.ndim == 1:
        return (_CATEGORICAL(frequencies, perfect=False),)
    return _FAMILY, frequencies


@cache
def check_constriction() -> None:
    """Codes a known payload, once: the bytes of files depend on what constriction does.

    Raises:
        MissingPackageError: this version does something else.
    """
    symbols, frequencies = np.array([0, 1, 2, 1, 1, 0, 2, 2], np.int32), to_frequencies(np.array([9, 5, 1]))
    encoder = Encoder(check=False)
    encoder.encode(np.tile(symbols, 20), frequencies)
    encoder.encode_intervals(np.array([0, 1, 2**23], np.int32), np.array([1, 2**23, 2**23], np.int32))
    if encoder.finish() != KNOWN_PAYLOAD:
        raise MissingPackageError(
            f"constriction {version('constriction')} codes other bytes than files of this program have: "
            "install constriction~=0.5.0"
        )


class Encoder:
    """Writes symbols, first in, first out.

    Raises:
        MissingPackageError: the installed range coder does not make the bytes of the format.
    """

    def __init__(self, check: bool = True) -> None:
        if check:
            check_constriction()
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Int[np.ndarray, " n"], frequencies: Float32[np.ndarray, "*n K"]) -> None:
        """Appends symbols, each with a row of frequencies of its own, or all with the same."""
        self._coder.encode(symbols.astype(np.int32, copy=False), *_model(frequencies))

    def encode_intervals(self, cum_freq: Int32[np.ndarray, " n"], freq: Int32[np.ndarray, " n"]) -> None:
        """Appends symbols by their frequencies and the sums of those below them: the same bytes as by `encode`.

        For the coder each is one of three symbols: all below, the symbol itself, all above. Where there is nothing on
        one side, the other is cut in two.
        """
        above = (1 << PRECISION) - cum_freq - freq
        table, symbols = np.stack([cum_freq, freq, above], 1), np.ones(len(freq), np.int32)
        first, last = cum_freq == 0, above == 0
        table[first] = np.stack([freq, np.ones_like(freq), above - 1], 1)[first]
        table[last] = np.stack([np.ones_like(freq), cum_freq - 1, freq], 1)[last]
        symbols[first], symbols[last] = 0, 2
        self.encode(symbols, (table - 1).astype(np.float32))

    def finish(self) -> bytes:
        """The shortest payload: any number in the final interval [low, low + width) stands for all symbols.

        The coder itself would end on a whole word; of the numbers in the interval this takes one that ends in as many
        zero bytes as possible, and leaves them off.
        """
        position, (lower, width) = self._coder.pos()
        lower, width = int(lower), int(width)
        # The coder ends by adding 2³² − 1 to the interval's lower end, which may carry into the words before
        carried = lower + (1 << WORD) - 1 >> 2 * WORD
        words = self._coder.get_compressed()[:position].astype(">u4").tobytes()
        low = (int.from_bytes(words, "big") - carried << 2 * WORD) + lower
        for length in range(max(0, position * 4 - 8), position * 4 + 9):
            dropped = 8 * (position * 4 + 8 - length)
            number = -(-low >> dropped)
            if number << dropped < low + width:
                return number.to_bytes(length, "big")
        raise AssertionError("an interval of 2³² or more holds a multiple of 2³²")


class Decoder:
    """Reads back what an `Encoder` wrote.

    Args:
        payload: what `Encoder.finish` returned.
    """

    def __init__(self, payload: bytes):
        padded = payload + bytes(-len(payload) % 4 + 8)  # the zero bytes that were left off
        self._payload = payload
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
        self._check = Encoder()

    def decode(self, number: int, frequencies: Float32[np.ndarray, "*n K"]) -> Int32[np.ndarray, " n"]:
        """The next symbols, each with a row of frequencies of its own, or all with the same.

        Raises:
            BitstreamError: no symbols lead to this payload.
        """
        model = _model(frequencies)
        try:
            symbols = self._coder.decode(*model, *([number] if len(model) == 1 else []))
        except AssertionError:
            raise _foreign() from None
        self._check.encode(symbols, frequencies)
        return symbols

    def finish(self) -> None:
        """Checks that all of the payload has been read.

        Raises:
            BitstreamError: an encoder would have written another payload for these symbols.
        """
        _check_end(self._check, self._payload)


class IntervalReader:
    """Reads what an `Encoder` wrote, for those who decode symbols themselves, as docs/format.md has it.

    Args:
        payload: what `Encoder.finish` returned.
    """

    def __init__(self, payload: bytes):
        self._payload, self._check = payload, Encoder()
        self._words = np.frombuffer(payload + bytes(-len(payload) % 4 + 8), ">u4").astype(np.uint32)
        first, second = map(int, self._words[:2])
        self._coder = np.array([0, (1 << 64) - 1, first << WORD | second, 2], np.uint64)

    @property
    def state(self) -> tuple[UInt32[np.ndarray, " w"], UInt64[np.ndarray, "4"]]:
        """The payload's words, and low, width, value and the number of words read, to be gone on with in place. A width
        of 0 says that no symbol leads to this payload.
        """
        return self._words, self._coder

    def follow(self, intervals: Int32[np.ndarray, "2 n"]) -> None:
        """Takes note of the symbols decoded since: of their cumulative frequencies, and their frequencies.

        Raises:
            BitstreamError: no symbols lead to this payload.
        """
        if not self._coder[1]:
            raise _foreign()
        self._check.encode_intervals(*intervals)

    def finish(self) -> None:
        """Checks that all of the payload has been read; errors are those of `Decoder.finish`."""
        _check_end(self._check, self._payload)


def _check_end(encoder: Encoder, payload: bytes) -> None:
    if encoder.finish() != payload:
        raise BitstreamError("the payload is damaged: it is longer or shorter than what it says")


def _foreign() -> BitstreamError:
    return BitstreamError("the payload is damaged: nothing could have been written like this")
