"""Frames to a payload and back: which symbols there are, in which order, with which tables.

A frame is, in this order: the indices of its envelope; the change of its step size, where the rate is constant; its
even bins; its odd bins. After either half come the escapes of the bins in it. So a reader can decode frame by frame.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int32, Int64

from vqvae.entropy.range_coder import PRECISION, Decoder, Encoder, check_length
from vqvae.errors import BitstreamError
from vqvae.speech.mdct import FRAME
from vqvae.speech.spectrum import CONTEXTS, HALVES, LARGEST, PARITY, SCALES, all_contexts, context_classes
from vqvae.speech.tables import LARGEST_CHANGE, Alphabet, Interval, Tables, escape_bits

EVEN_ODD = np.zeros(2, np.float32) + ((1 << PRECISION) - 2) // 2  # frequencies of a bit that is 0 or 1 alike
ESCAPE_BITS = 20  # most bits of an escape's value


class Frames(NamedTuple):
    """All that a file says of F frames.

    Attributes:
        indices: of the envelopes.
        steps: the step size of each frame, from that of the file on, where the rate is constant.
        quantised: the bins.
    """

    indices: Int64[np.ndarray, "F M"]
    steps: Int64[np.ndarray, " F"] | None
    quantised: Int32[np.ndarray, "F N"]


class Frame(NamedTuple):
    """The same of one frame; `step` is 0 where the rate is not constant."""

    indices: Int64[np.ndarray, " M"]
    step: int
    quantised: Int32[np.ndarray, " N"]


ScalesOf = Callable[[Int64[np.ndarray, " M"], int], Int64[np.ndarray, " N"]]


class FrameCoder:
    """Codes frames with a model's tables.

    Args:
        tables: the model's.
    """

    def __init__(self, tables: Tables):
        self._bins = Alphabet(tables.bins)
        self._indices = Alphabet(tables.indices)
        self._changes = Alphabet(tables.changes)
        self._stages, self._size = tables.indices.shape[:2]

    def index_bits(self, indices: Int64[np.ndarray, "F M"]) -> Float[np.ndarray, " F"]:
        """What the envelope of each frame takes, in bits."""
        return self._indices.bits(self._index_places(indices), indices).sum(1).astype(np.float64)

    def change_bits(self, change: Int64[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """What changes of the step size take, in bits."""
        return self._changes.bits(np.zeros_like(change), change + LARGEST_CHANGE)

    def bin_bits(
        self, quantised: Int32[np.ndarray, "F N"], scales: Int64[np.ndarray, "F N"]
    ) -> Float[np.ndarray, " F"]:
        """What the bins of each frame take, in bits."""
        places = self._bin_places(scales, all_contexts(np.abs(quantised)))
        return self._sum_bits(quantised, places)

    def next_bits(
        self, before: Int32[np.ndarray, " N"], quantised: Int32[np.ndarray, " N"], scales: Int64[np.ndarray, " N"]
    ) -> float:
        """What the bins of one frame take after another, in bits."""
        contexts, magnitudes = np.empty(FRAME, np.int64), np.abs(quantised)
        for half in HALVES:
            contexts[half::2] = context_classes(half, np.abs(before), magnitudes)
        return float(self._sum_bits(quantised[None], self._bin_places(scales, contexts)[None])[0])

    def _sum_bits(
        self, quantised: Int32[np.ndarray, "F N"], places: Int64[np.ndarray, "F N"]
    ) -> Float[np.ndarray, " F"]:
        symbols = np.clip(quantised, -LARGEST, LARGEST) + LARGEST
        bits = self._bins.bits(places, symbols).sum(-1).astype(np.float64)
        return bits + escape_bits(np.abs(quantised)) if np.abs(quantised).max() >= LARGEST else bits

    def write(self, frames: Frames, scales: Int64[np.ndarray, "F N"]) -> bytes:
        """The payload of frames."""
        quantised = frames.quantised
        places = self._bin_places(scales, all_contexts(np.abs(quantised)))
        symbols = np.clip(quantised, -LARGEST, LARGEST) + LARGEST
        parts = [self._indices.intervals(self._index_places(frames.indices), frames.indices)]
        if frames.steps is not None:
            changes = np.diff(frames.steps, prepend=0)[:, None]
            parts.append(self._changes.intervals(np.zeros_like(changes), changes + LARGEST_CHANGE))
        parts += [self._bins.intervals(places[:, half::2], symbols[:, half::2]) for half in HALVES]
        below, own = (np.concatenate([part[i] for part in parts], 1) for i in (0, 1))
        bits, positions = _escapes(quantised, below.shape[1])
        flat = Interval(
            np.insert(below.ravel(), positions, bits << PRECISION - 1).astype(np.int32),
            np.insert(own.ravel(), positions, 1 << PRECISION - 1),
        )
        encoder = Encoder()
        encoder.encode_intervals(*flat)
        return encoder.finish()

    def read(self, payload: bytes, count: int, constant: bool, scales_of: ScalesOf) -> Iterator[Frame]:
        """One frame after the other.

        Args:
            payload: the bytes.
            count: number of frames.
            constant: whether each frame has a step size of its own.
            scales_of: the scale classes of a frame's bins, from its indices and step size.

        Raises:
            BitstreamError: the payload is damaged. What has been read before may be wrong then, too.
        """
        check_length(payload, count * (FRAME + self._stages))
        decoder = Decoder(payload)
        indices, step, quantised = np.zeros(self._stages, np.int64), 0, np.zeros(FRAME, np.int32)
        for _ in range(count):
            indices = self._read_indices(decoder, indices)
            if constant:
                step += int(decoder.decode(1, self._changes.rows)[0]) - LARGEST_CHANGE
                if abs(step) > LARGEST_CHANGE:
                    raise BitstreamError("the payload is damaged: a step size is out of range")
            quantised = self._read_bins(decoder, quantised, scales_of(indices, step))
            yield Frame(indices, step, quantised)
        decoder.finish()

    def _read_indices(self, decoder: Decoder, before: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " M"]:
        indices, last = np.empty_like(before), 0
        for stage in range(self._stages):
            last = int(decoder.decode(1, self._indices.rows[stage, before[stage], last])[0])
            indices[stage] = last
        return indices

    def _read_bins(
        self, decoder: Decoder, before: Int32[np.ndarray, " N"], scales: Int64[np.ndarray, " N"]
    ) -> Int32[np.ndarray, " N"]:
        quantised, before = np.zeros(FRAME, np.int32), np.abs(before)
        for half in HALVES:
            contexts = context_classes(half, before, np.abs(quantised))
            values = decoder.decode(FRAME // 2, self._bins.rows[half, scales[half::2], contexts]) - LARGEST
            for place in np.flatnonzero(np.abs(values) == LARGEST):
                values[place] += np.sign(values[place]) * (_read_escape(decoder) - 1)
            quantised[half::2] = values
        return quantised

    def _index_places(self, indices: Int64[np.ndarray, "F M"]) -> Int64[np.ndarray, "F M"]:
        before, last = np.zeros_like(indices), np.zeros_like(indices)
        before[1:], last[:, 1:] = indices[:-1], indices[:, :-1]
        return (np.arange(self._stages) * self._size + before) * self._size + last

    def _bin_places(
        self, scales: Int64[np.ndarray, "*F N"], contexts: Int64[np.ndarray, "*F N"]
    ) -> Int64[np.ndarray, "*F N"]:
        return (PARITY * SCALES + scales) * CONTEXTS + contexts


def _escapes(
    quantised: Int32[np.ndarray, "F N"], symbols: int
) -> tuple[Int64[np.ndarray, " b"], Int64[np.ndarray, " b"]]:
    """The bits of all escapes, Elias gamma codes, and the positions in a row of all symbols before which they come.

    Args:
        quantised: the bins.
        symbols: how many there are in a frame, without escapes.
    """
    bits, positions = [0][:0], [0][:0]
    half = FRAME // 2
    by_half = np.concatenate([quantised[:, 0::2], quantised[:, 1::2]], 1)
    for frame, place in zip(*np.nonzero(np.abs(by_half) >= LARGEST), strict=True):
        rest = abs(int(by_half[frame, place])) - LARGEST + 1
        code = [0] * (rest.bit_length() - 1) + [int(bit) for bit in f"{rest:b}"]
        bits += code
        positions += [int(frame + 1) * symbols - (half if place < half else 0)] * len(code)
    return np.array(bits, np.int64), np.array(positions, np.int64)


def _read_escape(decoder: Decoder) -> int:
    """A number from 1 on."""
    length = 0
    while not decoder.decode(1, EVEN_ODD)[0]:
        length += 1
        if length > ESCAPE_BITS:
            raise BitstreamError("the payload is damaged: a bin is too large")
    value = 1
    for bit in decoder.decode(length, EVEN_ODD) if length else ():
        value = 2 * value + int(bit)
    return value
