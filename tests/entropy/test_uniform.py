"""The fixed-width payload, bit by bit."""

import numpy as np
import pytest

from vqvae.entropy import Uniform
from vqvae.errors import BitstreamError

MODEL = Uniform(stages=2, index_bits=3)
GRID = np.empty((1, 1, 2, 0), np.int64)


def test_bits_follow_one_another_most_significant_first():
    indices = np.array([[[[0b101, 0b001], [0b111, 0b010]]]])
    assert MODEL.encode(indices) == [bytes([0b10100111, 0b10100000])]


def test_a_one_in_the_bits_that_fill_the_last_byte_is_refused():
    with pytest.raises(BitstreamError, match="not zero"):
        MODEL.decode([bytes([0b10100111, 0b10100001])], GRID, 2)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_payload_of_another_length_is_refused(length):
    with pytest.raises(BitstreamError, match=f"has {length} bytes.* take 2: the file is damaged"):
        MODEL.decode([bytes(length)], GRID, 2)
