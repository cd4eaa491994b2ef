"""The file around the payload, byte for byte as docs/format.md has it."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqvae.errors import BitstreamError, UnknownModelError
from vqvae.formats import Coded, Container, Kind, ModelId, pack, unpack
from vqvae.formats.varint import LARGEST

WHOLE, WEIGHTS = bytes(range(32)), bytes(range(100, 132))
MODEL = ModelId(WHOLE, WEIGHTS, ((b"whole, earlier", b"abcweights, earlier"),))
EXAMPLE = Container(width=32, height=300, model_id=MODEL, coded=Coded(0, (b"payload",)))

payloads = st.binary(max_size=50)
coded = st.builds(Coded, st.integers(0, 7), st.tuples(payloads)) | st.builds(
    Coded, st.integers(0, 7), st.lists(payloads, min_size=1, max_size=5).map(tuple), st.just(True)
)
containers = st.builds(
    Container,
    width=st.integers(1, LARGEST),
    height=st.integers(1, LARGEST),
    model_id=st.builds(ModelId, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32)),
    coded=coded,
)
PROGRESSIVE = EXAMPLE._replace(coded=Coded(0, (b"one", b"", b"three"), progressive=True))


def sealed(body: bytes, model_id: bytes = b"") -> bytes:
    """With the checksum of files of versions 1 to 3, or, with a model's id, of later ones."""
    return body + zlib.crc32(model_id + body).to_bytes(4, "big")


def read(data: bytes, stages: int | None = None) -> Container:
    return unpack(data, [MODEL], stages)


@pytest.mark.parametrize(("code", "model_id"), [(0, WEIGHTS), (1, WHOLE), (7, WHOLE)])
def test_the_bytes_are_those_of_the_format_description(code, model_id):
    body = b"VQ" + bytes([0x50 | code]) + b"\x20" + b"\xac\x02" + model_id[:3] + b"payload"
    assert pack(EXAMPLE._replace(coded=Coded(code, (b"payload",)))) == sealed(body, model_id)


@given(containers)
def test_a_container_comes_back_as_it_was(container):
    assert unpack(pack(container), [MODEL, container.model_id]) == container


def test_a_small_image_takes_twelve_bytes_besides_its_payload():
    assert len(pack(Container(32, 32, MODEL, Coded(0, (b"",))))) == 12


def test_no_file_begins_like_an_archive():
    for code in range(8):
        for progressive in (False, True):
            assert not pack(EXAMPLE._replace(coded=Coded(code, (b"",), progressive))).startswith(b"VQA")


def test_models_whose_ids_begin_alike_are_told_apart_by_the_checksum():
    alike = [ModelId(WHOLE, WEIGHTS[:3] + bytes([number]) * 29) for number in range(50)]
    for model in alike:
        for coded in (EXAMPLE.coded, PROGRESSIVE.coded):
            assert unpack(pack(Container(5, 7, model, coded)), [MODEL, *alike]).model_id == model


def test_a_model_whose_id_only_begins_like_that_of_a_known_one_is_refused():
    alike = ModelId(WHOLE, WEIGHTS[:3] + bytes(29))
    with pytest.raises(BitstreamError, match="corrupt, or made with another model whose id begins like"):
        unpack(pack(EXAMPLE), [alike])
    with pytest.raises(BitstreamError, match="in stage 1, or made with another model whose id begins like"):
        unpack(pack(PROGRESSIVE), [alike])


def test_a_file_of_an_unknown_model_is_told_apart_from_a_corrupt_one():
    others = [ModelId(bytes([number]) * 32, bytes([number]) * 32) for number in range(2)]
    with pytest.raises(UnknownModelError, match=r"not known here \(its id begins with 646566\): name .* --model"):
        unpack(pack(EXAMPLE), others)
    with pytest.raises(UnknownModelError, match="another model: its id begins with 646566, this model's with 000000"):
        unpack(pack(EXAMPLE), others[:1])
    damaged = bytearray(pack(EXAMPLE))
    damaged[-5] ^= 1
    with pytest.raises(BitstreamError) as caught:
        unpack(bytes(damaged), [MODEL, *others])
    assert not isinstance(caught.value, UnknownModelError)


def test_an_earlier_file_whose_model_cannot_be_told_is_refused():
    earlier = sealed(b"VQ\x20\x20\x20abcpayload")
    one, other = (ModelId(WHOLE, WEIGHTS, ((b"abc", b"abc" + end),)) for end in (b"d", b"e"))
    assert unpack(earlier, [one]).model_id == one
    with pytest.raises(UnknownModelError, match=r"begins with 616263, as those of 2 models do: .* --model"):
        unpack(earlier, [one, other])
    with pytest.raises(UnknownModelError, match="begins with 616263"):
        unpack(earlier, [ModelId(WHOLE, WEIGHTS)])


@pytest.mark.parametrize("example", [EXAMPLE, PROGRESSIVE])
def test_every_flipped_bit_is_noticed(example):
    data = pack(example)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            read(bytes(damaged))


def test_every_truncation_is_noticed():
    data = pack(EXAMPLE)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            read(data[:length])


@given(st.binary(max_size=60))
def test_anything_else_is_refused_and_never_crashes(data):
    for start in (b"", b"VQ", b"VQ\x50\x01\x01" + WEIGHTS[:3], b"VQ\x68\x01\x01" + WEIGHTS[:3]):
        for foreign in (start + data, sealed(start + data, WEIGHTS)):
            with suppress(BitstreamError):
                assert pack(read(foreign)) == foreign
    for start in (b"VQ\x20", b"VQ\x28", b"VQ\x30"):
        with suppress(BitstreamError):
            read(sealed(start + data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n", "not a .vqz file"),
        (b"", "not a .vqz file"),
        (b"VQ\x10", "ends within its header"),
        (sealed(b"VQ\x40\x20\x20abc"), "version 4"),
        (sealed(b"VQ\x70\x20\x20abc"), "version 7"),
        (sealed(b"VQ\x60\x20\x20abc\x00", WEIGHTS), "no valid size"),
        (sealed(b"VQ\x60\x20\x20def\x02\x07\x00", WEIGHTS), "a chunk of kind 7"),
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
        read(data)


@pytest.mark.parametrize("side", [0, LARGEST + 1])
def test_a_size_that_the_header_cannot_hold_is_refused(side):
    with pytest.raises(ValueError, match=str(side)):
        pack(EXAMPLE._replace(width=side))


def test_files_of_version_one_are_those_of_version_two_without_what_came_with_it():
    body = b"VQ" + b"\x10" + b"\x20" + b"\xac\x02" + b"abc" + b"payload"
    assert read(sealed(body)) == EXAMPLE
    no_flag_yet = sealed(body[:2] + b"\x18" + body[3:6] + b"who" + body[9:])
    assert read(no_flag_yet) == EXAMPLE._replace(coded=Coded(8, (b"payload",)))


def test_a_progressive_file_has_a_length_and_a_checksum_for_each_section():
    start = b"VQ" + b"\x58" + b"\x20" + b"\xac\x02" + WEIGHTS[:3]
    data, earlier = start, start[:2] + b"\x28" + start[3:6] + b"abc"
    for section in (b"\x03one", b"\x00", b"\x05three"):
        data, earlier = sealed(data + section, WEIGHTS), sealed(earlier + section)
    assert pack(PROGRESSIVE) == data
    assert read(earlier) == PROGRESSIVE


def test_a_progressive_file_can_be_cut_after_any_section_and_nowhere_else():
    data = pack(PROGRESSIVE)
    ends = {9 + 8: 1, 9 + 8 + 5: 2, len(data): 3}
    for length in range(len(data) + 1):
        if length in ends:
            assert read(data[:length]).coded.sections == PROGRESSIVE.coded.sections[: ends[length]]
        else:
            with pytest.raises(BitstreamError):
                read(data[:length])


def test_damage_after_the_sections_that_are_wanted_does_not_matter():
    data = bytearray(pack(PROGRESSIVE))
    data[-6] ^= 1
    with pytest.raises(BitstreamError, match="in stage 3: --stages 2 decodes the stages before"):
        read(bytes(data))
    assert read(bytes(data), stages=2).coded.sections == PROGRESSIVE.coded.sections[:2]


def test_very_many_sections_are_read_in_one_pass():
    data = pack(PROGRESSIVE._replace(coded=Coded(0, (b"",) * 20_000, progressive=True)))
    assert len(read(data).coded.sections) == 20_000


def test_chunks_are_told_by_the_version_and_come_back():
    chunks = {Kind.GREY: b"", Kind.XMP: b"some bytes"}
    for coded in (Coded(1, (b"payload",)), Coded(1, (b"first", b"second"), True)):
        container = Container(5, 7, MODEL, coded, chunks)
        data = pack(container)
        assert data[2] >> 4 == 6 and read(data) == container
        assert pack(container._replace(chunks={}))[2] >> 4 == 5
