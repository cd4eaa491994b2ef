"""The file around the payload, byte for byte as docs/format.md has it."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqvae.coding import Container, pack, unpack
from vqvae.coding.container import LARGEST_SIDE
from vqvae.errors import BitstreamError

EXAMPLE = Container(width=32, height=300, entropy_code=0, fingerprint=b"\x01\x02\x03", payload=b"payload")

containers = st.builds(
    Container,
    width=st.integers(1, LARGEST_SIDE),
    height=st.integers(1, LARGEST_SIDE),
    entropy_code=st.integers(0, 15),
    fingerprint=st.binary(min_size=3, max_size=3),
    payload=st.binary(max_size=50),
)


def sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


def test_the_bytes_are_those_of_the_format_description():
    body = b"VQ" + b"\x10" + b"\x20" + b"\xac\x02" + b"\x01\x02\x03" + b"payload"
    assert pack(EXAMPLE) == sealed(body)


@given(containers)
def test_a_container_comes_back_as_it_was(container):
    assert unpack(pack(container)) == container


def test_a_small_image_takes_twelve_bytes_besides_its_payload():
    assert len(pack(Container(32, 32, 0, b"abc", b""))) == 12


def test_every_flipped_bit_is_noticed():
    data = pack(EXAMPLE)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            unpack(bytes(damaged))


def test_every_truncation_is_noticed():
    data = pack(EXAMPLE)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            unpack(data[:length])


@given(st.binary(max_size=60))
def test_anything_else_is_refused_and_never_crashes(data):
    for foreign in (data, b"VQ" + data, b"VQ\x10" + data, sealed(b"VQ\x10" + data)):
        with suppress(BitstreamError):
            assert pack(unpack(foreign)) == foreign


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n", "not a .vqz file"),
        (b"", "not a .vqz file"),
        (b"VQ\x10", "ends within its header"),
        (sealed(b"VQ\x20\x20\x20abc"), "version 2"),
        (sealed(b"VQ\x10\x20"), "no valid image size"),
        (sealed(b"VQ\x10\x00\x20abc"), "no valid image size"),
        (sealed(b"VQ\x10\xa0\x00\x20abc"), "no valid image size"),
        (sealed(b"VQ\x10\xff\xff\xff\xff\x01\x20abc"), "no valid image size"),
        (sealed(b"VQ\x10\x20\x20ab"), "ends within its header"),
        (pack(EXAMPLE)[:-1], "truncated or corrupt"),
    ],
)
def test_the_error_says_which_kind_of_damage_it_is(data, reason):
    with pytest.raises(BitstreamError, match=reason):
        unpack(data)


@pytest.mark.parametrize("side", [0, LARGEST_SIDE + 1])
def test_a_size_that_the_header_cannot_hold_is_refused(side):
    with pytest.raises(ValueError, match=str(side)):
        pack(EXAMPLE._replace(width=side))
