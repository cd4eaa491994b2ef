"""Range coding, against the few lines of docs/format.md in Python's unbounded integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqvae.entropy import range_coder
from vqvae.entropy.range_coder import MIN_SYMBOL_BITS, Decoder, Encoder, symbol_bits, to_frequencies
from vqvae.errors import BitstreamError, MissingPackageError


def draw(seed: int, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and, for each, frequencies less 1."""
    draws = np.random.default_rng(seed)
    weights = (2.0 ** (draws.normal(size=(number, size)) * draws.integers(0, 9))).clip(0, 2**10) * 1000
    frequencies = to_frequencies(weights.astype(np.int64))
    chances = frequencies.cumsum(1) / frequencies.sum(1, keepdims=True)
    return (chances > draws.random((number, 1))).argmax(1), frequencies


def decode_by_the_book(payload: bytes, frequencies: np.ndarray) -> list[int]:
    """As docs/format.md has it."""
    data = payload + bytes(len(frequencies) * 4 + 8)
    low, width, position = 0, 2**64, 8
    value = int.from_bytes(data[:8], "big")
    low, width = 0, 2**64 - 1
    symbols = []
    for row in frequencies.astype(int) + 1:
        step = width >> 24
        symbol, below = 0, 0
        while (value - low) // step >= below + row[symbol]:
            below += row[symbol]
            symbol += 1
        symbols.append(symbol)
        low, width = low + step * int(below), step * int(row[symbol])
        if width < 2**32:
            value = value << 32 | int.from_bytes(data[position : position + 4], "big")
            low, width, position = low << 32, width << 32, position + 4
    return symbols


def encode_by_the_book(symbols: np.ndarray, frequencies: np.ndarray) -> bytes:
    low, width, words = 0, 2**64 - 1, 2
    for symbol, row in zip(symbols, frequencies.astype(int) + 1, strict=True):
        step = width >> 24
        low, width = low + step * int(row[:symbol].sum()), step * int(row[symbol])
        if width < 2**32:
            low, width, words = low << 32, width << 32, words + 1
    for length in range(4 * words + 1):  # the shortest number in the interval
        unit = 2 ** (8 * (4 * words - length))
        number = -(-low // unit)
        if number * unit < low + width:
            return number.to_bytes(length, "big")
    raise AssertionError


symbols_and_frequencies = st.builds(draw, st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(2, 40))


@given(symbols_and_frequencies)
def test_the_payload_is_that_of_the_format_description(drawn):
    symbols, frequencies = drawn
    encoder = Encoder()
    encoder.encode(symbols, frequencies)
    payload = encoder.finish()
    assert payload == encode_by_the_book(symbols, frequencies)
    sums = np.pad((frequencies.astype(np.int32) + 1).cumsum(1, dtype=np.int32), ((0, 0), (1, 0)))
    lower, upper = (np.take_along_axis(sums, symbols[:, None] + side, 1)[:, 0] for side in (0, 1))
    encoder = Encoder()
    encoder.encode_intervals(lower, upper - lower)
    assert encoder.finish() == payload
    assert decode_by_the_book(payload, frequencies) == symbols.tolist()


@given(symbols_and_frequencies, st.integers(1, 199))
def test_symbols_come_back_in_pieces_too(drawn, first):
    symbols, frequencies = drawn
    encoder = Encoder()
    encoder.encode(symbols, frequencies)
    decoder = Decoder(encoder.finish())
    pieces = [decoder.decode(len(rows), rows) for rows in np.split(frequencies, [first]) if len(rows)]
    decoder.finish()
    assert np.array_equal(np.concatenate(pieces), symbols)


@given(symbols_and_frequencies)
def test_a_payload_takes_the_symbol_bits_and_a_byte_at_most(drawn):
    symbols, frequencies = drawn
    encoder = Encoder()
    encoder.encode(symbols, frequencies)
    assert len(encoder.finish()) <= symbol_bits(symbols, frequencies).sum() / 8 + 1.01


def test_a_carry_runs_through_all_words_before():
    """The shortest number in the interval is above all that was written: one more, in the words before."""
    frequencies = to_frequencies(np.array([[2**20, 1]] * 300))
    symbols = np.zeros(300, int)
    symbols[:2] = 1
    for last in range(2, 300):
        encoder = Encoder()
        encoder.encode(symbols[:last], frequencies[:last])
        assert encoder.finish() == encode_by_the_book(symbols[:last], frequencies[:last])


@given(st.lists(st.integers(0, 2**20), min_size=2, max_size=300))
def test_frequencies_sum_to_what_the_coder_needs_and_leave_nothing_certain(weights):
    frequencies = to_frequencies(np.array(weights, dtype=np.int64)).astype(np.int64)
    assert (frequencies >= 0).all() and (frequencies + 1).sum() == 2**24
    assert symbol_bits(np.array([frequencies.argmax()]), frequencies.astype(np.float32)) > MIN_SYMBOL_BITS


def test_frequencies_follow_the_weights():
    weights = np.array([1, 2, 3, 10])
    assert (to_frequencies(weights) + 1) / 2**24 == pytest.approx(weights / 16, rel=1e-5)


def test_what_no_symbols_lead_to_is_refused():
    frequencies = to_frequencies(np.ones((1, 3), np.int64))
    with pytest.raises(BitstreamError, match="damaged"):
        Decoder(b"\xff" * 20).decode(1, frequencies)


def test_a_range_coder_that_makes_other_bytes_is_refused_before_anything_is_coded(monkeypatch):
    range_coder.check_constriction()
    monkeypatch.setattr(range_coder, "KNOWN_PAYLOAD", b"other bytes")
    range_coder.check_constriction.cache_clear()
    for begin in (Encoder, lambda: Decoder(b"payload")):
        with pytest.raises(MissingPackageError, match=r"constriction 0\.5\.\d+ codes other bytes .*~=0\.5\.0"):
            begin()
