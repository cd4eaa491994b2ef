"""The fixed-width payload, bit by bit."""

import numpy as np
import pytest

from vqvae.coding import Uniform
from vqvae.errors import BitstreamError


def test_bits_follow_one_another_most_significant_first():
    indices = np.array([[[0b101, 0b001], [0b111, 0b010]]])
    assert Uniform(stages=2, index_bits=3).encode(indices) == bytes([0b10100111, 0b10100000])


def test_a_one_in_the_bits_that_fill_the_last_byte_is_refused():
    with pytest.raises(BitstreamError, match="not zero"):
        Uniform(stages=2, index_bits=3).decode(bytes([0b10100111, 0b10100001]), 1, 2)
