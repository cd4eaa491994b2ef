"""Archives, byte for byte as docs/format.md has them, and what becomes of damage."""

import pickle
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.vqa.conftest import MODEL, SMALL, block_of, crc, opened, written
from vqvae.errors import BitstreamError, VqvaeError
from vqvae.formats.varint import LARGEST
from vqvae.formats.vqa.block import Entry, is_valid_name
from vqvae.formats.vqa.reader import Archive, Header


def test_the_bytes_are_those_of_the_format_description(path):
    header = b"VQA" + b"\x11" + b"\x00\x01\x02\x03\x04\x05\x06\x07"
    runs = b"\x01\x20\xac\x02\x00" + b"\x01\x20\xac\x02\x01" + b"\x01\x07\x09\x00"
    numbers = b"\x03" + b"\x05\x00\x03" + runs
    expected = header + crc(header) + block_of(numbers, b"a.png\0b/c.jpg\0b/d", b"12345xyz")
    assert written(path, SMALL) == expected


entries = st.builds(
    Entry,
    name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(is_valid_name),
    width=st.integers(1, LARGEST) | st.just(32),
    height=st.integers(1, LARGEST) | st.just(32),
    entropy_code=st.integers(0, 7),
    payload=st.binary(max_size=300) | st.just(bytes(70_000)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(entries, max_size=9, unique_by=lambda entry: entry.name), st.integers(0, 9), st.booleans())
def test_images_come_back_as_they_were(path, images, first, named):
    path.unlink(missing_ok=True)
    written(path, images[:first], images[first:], named=named)
    expected = images if named else [entry._replace(name=f"{n:05}") for n, entry in enumerate(images)]
    archive = Archive(path)
    assert list(archive) == expected and archive.names == [entry.name for entry in expected]
    assert [archive[entry.name] for entry in expected] == expected
    assert archive.torn_bytes == 0 and archive.end == path.stat().st_size


def test_ten_thousand_small_images_cost_little_besides_their_payloads(path):
    images = [Entry(f"{n:05}.png", 32, 32, 1, bytes(105)) for n in range(10_000)]
    besides = len(written(path, images)) - sum(len(entry.payload) + len(entry.name) + 1 for entry in images)
    assert besides <= 1.2 * len(images)
    path.unlink()
    assert len(written(path, images, named=False)) <= (105 + 1.2) * len(images)


class CountingFile(FileIO):
    """Remembers how many bytes each reading takes."""

    counts: ClassVar[list[int]] = []

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.counts.append(len(data))
        return data


def test_one_image_takes_reading_one_block_and_opening_no_payload_at_all(path, monkeypatch):
    small = [Entry(f"{n}", 32, 32, 0, bytes([n % 256]) * 100) for n in range(3000)]
    large = [Entry("large", 900, 900, 0, bytes(200_000))]
    written(path, [*small[:1000], *large, *small[1000:]])
    monkeypatch.setattr(Path, "open", lambda self, mode, buffering: CountingFile(self, mode))
    counts = CountingFile.counts
    archive = Archive(path)
    assert sum(counts) == path.stat().st_size - archive.lengths.sum()
    counts.clear()
    assert archive["1234"] == small[1234] and sum(counts) == 25_600
    assert archive["1235"] == small[1235] and len(counts) == 1
    assert archive["large"] == large[0] and counts[1:] == [200_000]


def test_every_flipped_bit_is_noticed_and_no_image_comes_back_wrong(path):
    data = written(path, SMALL[:2], SMALL[2:])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError, match=r"images.vqa: "):
            list(opened(path, bytes(damaged)))


def test_damaged_payloads_leave_the_other_blocks_readable(path):
    data = bytearray(written(path, SMALL[:2], SMALL[2:]))
    data[data.index(b"12345")] ^= 1
    archive = opened(path, bytes(data))
    with pytest.raises(BitstreamError, match=r"images.vqa: block 0: .*images 0 to 1 are lost"):
        archive["a.png"]
    assert archive["b/d"] == SMALL[2]
    (damaged,) = archive.damaged_blocks()
    assert "block 0" in str(damaged)


def test_a_damaged_index_says_how_much_before_it_can_be_saved(path):
    first = written(path, SMALL[:2])
    data = bytearray(written(path, SMALL[2:]))
    data[data.index(b"b/d")] ^= 1
    with pytest.raises(BitstreamError, match=f"block 1, from byte {len(first)} on: .*checksum of its index"):
        opened(path, bytes(data))
    assert list(opened(path, bytes(data[: len(first)]))) == SMALL[:2]


def test_every_truncation_leaves_the_complete_blocks_and_the_next_writer_goes_on_there(path):
    ends = [len(written(path, [entry])) for entry in SMALL]
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length >= 16:
            complete = sum(end <= length for end in ends)
            archive = Archive(path)
            assert list(archive) == SMALL[:complete]
            assert archive.torn_bytes == length - ([16, *ends][complete])
        else:
            complete = 0
            with pytest.raises(BitstreamError):
                Archive(path)
        assert written(path, *([entry] for entry in SMALL[complete:])) == data


@given(st.binary(max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_anything_else_is_refused_and_never_crashes(path, data):
    header = Header(MODEL.whole, named=True).pack()
    half = len(data) // 2
    for foreign in (data, header + data, header + block_of(data[:half], data[half:], b"12345")):
        with suppress(BitstreamError):
            list(opened(path, foreign))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "not an archive"),
        (b"VQ\x10", "not an archive"),
        (b"VQA\x11", "ends within its header"),
        (b"VQA\x21" + bytes(12), "version 2"),
        (b"VQA\x11" + bytes(12), "checksum of its header"),
        (b"VQA\x12" + bytes(8) + crc(b"VQA\x12" + bytes(8)), "unknown flag"),
    ],
)
def test_a_header_that_is_none_of_ours_is_refused(path, header, reason):
    with pytest.raises(BitstreamError, match=f"images.vqa: .*{reason}"):
        opened(path, header)


def test_an_archive_can_be_sent_to_another_process(path):
    written(path, SMALL)
    assert list(pickle.loads(pickle.dumps(Archive(path)))) == SMALL


def test_what_is_not_there_is_named(path):
    written(path, SMALL)
    archive = Archive(path)
    with pytest.raises(VqvaeError, match=r"no image 'z'.*vqvae info"):
        archive["z"]
    with pytest.raises(IndexError):
        archive[3]
    assert archive[-1] == SMALL[2]
