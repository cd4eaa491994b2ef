"""The file around the payload, byte for byte as docs/format.md has it."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqvae.errors import BitstreamError
from vqvae.formats import Coded, Container, Kind, pack, unpack
from vqvae.formats.varint import LARGEST

EXAMPLE = Container(width=32, height=300, fingerprint=b"\x01\x02\x03", coded=Coded(0, (b"payload",)))

payloads = st.binary(max_size=50)
coded = st.builds(Coded, st.integers(0, 7), st.tuples(payloads)) | st.builds(
    Coded, st.integers(0, 7), st.lists(payloads, min_size=1, max_size=5).map(tuple), st.just(True)
)
containers = st.builds(
    Container,
    width=st.integers(1, LARGEST),
    height=st.integers(1, LARGEST),
    fingerprint=st.binary(min_size=3, max_size=3),
    coded=coded,
)
PROGRESSIVE = EXAMPLE._replace(coded=Coded(0, (b"one", b"", b"three"), progressive=True))


def sealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "big")


def test_the_bytes_are_those_of_the_format_description():
    body = b"VQ" + b"\x20" + b"\x20" + b"\xac\x02" + b"\x01\x02\x03" + b"payload"
    assert pack(EXAMPLE) == sealed(body)


@given(containers)
def test_a_container_comes_back_as_it_was(container):
    assert unpack(pack(container)) == container


def test_a_small_image_takes_twelve_bytes_besides_its_payload():
    assert len(pack(Container(32, 32, b"abc", Coded(0, (b"",))))) == 12


@pytest.mark.parametrize("example", [EXAMPLE, PROGRESSIVE])
def test_every_flipped_bit_is_noticed(example):
    data = pack(example)
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
    for foreign in (data, b"VQ" + data, b"VQ\x20" + data, sealed(b"VQ\x20" + data), sealed(b"VQ\x28" + data)):
        with suppress(BitstreamError):
            assert pack(unpack(foreign)) == foreign


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n", "not a .vqz file"),
        (b"", "not a .vqz file"),
        (b"VQ\x10", "ends within its header"),
        (sealed(b"VQ\x50\x20\x20abc"), "version 5"),
        (sealed(b"VQ\x30\x20\x20abc\x00"), "no valid size"),
        (sealed(b"VQ\x10\x20"), "no valid size"),
        (sealed(b"VQ\x10\x00\x20abc"), "no valid size"),
        (sealed(b"VQ\x10\xa0\x00\x20abc"), "no valid size"),
        (sealed(b"VQ\x10\xff\xff\xff\xff\x01\x20abc"), "no valid size"),
        (sealed(b"VQ\x10\x20\x20ab"), "ends within its header"),
        (pack(EXAMPLE)[:-1], "truncated or corrupt"),
    ],
)
def test_the_error_says_which_kind_of_damage_it_is(data, reason):
    with pytest.raises(BitstreamError, match=reason):
        unpack(data)


@pytest.mark.parametrize("side", [0, LARGEST + 1])
def test_a_size_that_the_header_cannot_hold_is_refused(side):
    with pytest.raises(ValueError, match=str(side)):
        pack(EXAMPLE._replace(width=side))


def test_files_of_version_one_are_those_of_version_two_without_what_came_with_it():
    body = b"VQ" + b"\x10" + b"\x20" + b"\xac\x02" + b"\x01\x02\x03" + b"payload"
    assert unpack(sealed(body)) == EXAMPLE
    no_flag_yet = sealed(body[:2] + b"\x18" + body[3:])
    assert unpack(no_flag_yet) == EXAMPLE._replace(coded=Coded(8, (b"payload",)))


def test_a_progressive_file_has_a_length_and_a_checksum_for_each_section():
    data = b"VQ" + b"\x28" + b"\x20" + b"\xac\x02" + b"\x01\x02\x03"
    for section in (b"\x03one", b"\x00", b"\x05three"):
        data = sealed(data + section)
    assert pack(PROGRESSIVE) == data


def test_a_progressive_file_can_be_cut_after_any_section_and_nowhere_else():
    data = pack(PROGRESSIVE)
    ends = {9 + 8: 1, 9 + 8 + 5: 2, len(data): 3}
    for length in range(len(data) + 1):
        if length in ends:
            assert unpack(data[:length]).coded.sections == PROGRESSIVE.coded.sections[: ends[length]]
        else:
            with pytest.raises(BitstreamError):
                unpack(data[:length])


def test_damage_after_the_sections_that_are_wanted_does_not_matter():
    data = bytearray(pack(PROGRESSIVE))
    data[-6] ^= 1
    with pytest.raises(BitstreamError, match="in stage 3: --stages 2 decodes what is whole"):
        unpack(bytes(data))
    assert unpack(bytes(data), stages=2).coded.sections == PROGRESSIVE.coded.sections[:2]


def test_very_many_sections_are_read_in_one_pass():
    data = pack(PROGRESSIVE._replace(coded=Coded(0, (b"",) * 20_000, progressive=True)))
    assert len(unpack(data).coded.sections) == 20_000


def test_chunks_are_told_by_the_version_and_come_back():
    chunks = {Kind.GREY: b"", Kind.XMP: b"some bytes"}
    for coded in (Coded(1, (b"payload",)), Coded(1, (b"first", b"second"), True)):
        container = Container(5, 7, b"abc", coded, chunks)
        data = pack(container)
        assert data[2] >> 4 == 3 and unpack(data) == container
        assert pack(container._replace(chunks={}))[2] >> 4 == 2
