"""Archives, byte for byte as docs/format.md has them, and what becomes of damage."""

import os
import pickle
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vqvae.coding.append import append
from vqvae.coding.archive import Archive, Header
from vqvae.coding.block import Entry, is_valid_name
from vqvae.coding.sizes import LARGEST
from vqvae.errors import BitstreamError, UsageError, VqvaeError

MODEL = bytes(range(32))
SMALL = [Entry("a.png", 32, 300, 0, b"12345"), Entry("b/c.jpg", 32, 300, 1, b""), Entry("b/d", 7, 9, 0, b"xyz")]


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def block_of(numbers: bytes, names: bytes, payloads: bytes) -> bytes:
    """A block with checksums that match, whatever it says."""
    sizes = struct.pack(">3I", len(numbers), len(names), len(payloads)) + crc(numbers + names) + crc(payloads)
    return sizes + crc(sizes) + numbers + names + payloads


def written(path: Path, *blocks: Sequence[Entry], named: bool = True) -> bytes:
    """The bytes of an archive, each of whose appenders has added some images."""
    for entries in blocks:
        with append(path, MODEL, named) as appender:
            for entry in entries:
                appender.add(entry)
    return path.read_bytes()


def opened(path: Path, data: bytes) -> Archive:
    path.write_bytes(data)
    return Archive(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.vqa"


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


def test_adding_leaves_what_is_there_as_it_is(path):
    before = written(path, SMALL[:1])
    assert written(path, SMALL[1:]).startswith(before)


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
    with pytest.raises(BitstreamError, match="block 0"):
        archive.check_payloads()


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
    header = Header(MODEL, named=True).pack()
    half = len(data) // 2
    for foreign in (data, header + data, header + block_of(data[:half], data[half:], b"12345")):
        with suppress(BitstreamError):
            list(opened(path, foreign))


ONE = b"\x01\x05\x01\x07\x09\x00"  # one image of 7×9 with 5 bytes


@pytest.mark.parametrize(
    ("numbers", "names", "reason"),
    [
        (b"", b"", "0 numbers for 0 images"),
        (b"\x00", b"", "1 numbers for 0 images"),
        (b"\x81\x02" + bytes(257) + b"\x81\x02\x07\x09\x00", b"", "for 257 images"),
        (b"\xff\xff\xff\x7f\x50", b"", "2 numbers for 268435455 images"),
        (bytes(6000), b"", "6000 bytes of numbers"),
        (b"\x01\x05\x01\x07\x09", b"a", "5 numbers for 1 images"),
        (b"\x01\x05\x01\x00\x09\x00", b"a", "no valid runs"),
        (b"\x01\x05\x00\x07\x09\x00", b"a", "no valid runs"),
        (b"\x01\x05\x02\x07\x09\x00", b"a", "no valid runs"),
        (b"\x01\x05\x01\x07\x09\x08", b"a", "no valid runs"),
        (b"\x01\x05\x01\x07\x80\x80\x80\x80\x01\x00", b"a", "no valid size"),
        (b"\x01\x85\x00\x01\x07\x09\x00", b"a", "no valid size"),
        (b"\x01\x05\x01\x07\x09\x80", b"a", "no valid size"),
        (b"\x01\x04\x01\x07\x09\x00", b"a", "bytes of its payloads"),
        (ONE, b"a\0b", "2 names for 1 images"),
        (ONE, b"\xff", "not UTF-8"),
        (ONE, b"", "not the name of a file"),
        (b"\x02\x05\x00\x02\x07\x09\x00", b"a\0a", "same name"),
    ],
)
def test_a_block_that_says_what_none_may_say_is_refused(path, numbers, names, reason):
    with pytest.raises(BitstreamError, match=reason):
        opened(path, Header(MODEL, named=True).pack() + block_of(numbers, names, b"12345"))


HOSTILE = [
    "",
    "/etc/x",
    "..",
    "../x",
    "a/../x",
    "a/..",
    ".",
    "./a",
    "a//b",
    "a/",
    "a\\b",
    "a\nb",
    "a\x7f",
    "C:x",
    "c:/x",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_out_of_the_folder_is_neither_written_nor_read(path, name):
    with pytest.raises(VqvaeError, match="cannot name an image"):
        written(path, [Entry(name, 7, 9, 0, b"12345")])
    with pytest.raises(BitstreamError, match="not the name of a file"):
        opened(path, Header(MODEL, named=True).pack() + block_of(ONE, name.encode(), b"12345"))


@pytest.mark.parametrize("name", ["...", ".hidden", "a..b", "a b/ü.png", "12:30.png", "a/C:"])
def test_plain_names_are_allowed(path, name):
    image = Entry(name, 7, 9, 0, b"12345")
    written(path, [image])
    assert Archive(path)[name] == image


@pytest.mark.parametrize("name", ["a\0b", "a\udcff"])
def test_a_name_that_is_no_text_is_not_written(path, name):
    with pytest.raises(VqvaeError, match="cannot name an image"):
        written(path, [Entry(name, 7, 9, 0, b"12345")])


def test_names_in_an_archive_without_are_refused(path):
    with pytest.raises(BitstreamError, match="in an archive without"):
        opened(path, Header(MODEL, named=False).pack() + block_of(ONE, b"a", b"12345"))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "not an archive"),
        (b"VQ\x10", "not an archive"),
        (b"VQA\x11", "ends within its header"),
        (b"VQA\x21" + bytes(12), "version 2"),
        (b"VQA\x11" + bytes(12), "checksum of its header"),
        (b"VQA\x12" + bytes(8) + crc(b"VQA\x12" + bytes(8)), "means nothing"),
    ],
)
def test_a_header_that_is_none_of_ours_is_refused(path, header, reason):
    with pytest.raises(BitstreamError, match=f"images.vqa: .*{reason}"):
        opened(path, header)


def test_a_name_can_be_given_once(path):
    written(path, SMALL)
    for again in ([SMALL[0]], [Entry("new", 1, 1, 0, b"")] * 2):
        with pytest.raises(VqvaeError, match="already"):
            written(path, again)
    assert Archive(path).names == ["a.png", "b/c.jpg", "b/d", "new"]


@pytest.mark.parametrize("change", [{"width": 0}, {"height": LARGEST + 1}, {"entropy_code": 8}])
def test_what_a_block_cannot_hold_is_refused(path, change):
    with pytest.raises(ValueError, match="must be from"):
        written(path, [SMALL[0]._replace(**change)])


def test_images_of_another_model_or_without_names_do_not_mix(path):
    data = written(path, SMALL)
    with (
        pytest.raises(BitstreamError, match=r"another model: its fingerprint is 0001.*this model's 0000"),
        append(path, bytes(32)),
    ):
        pass
    with pytest.raises(UsageError, match="its images have names"):
        written(path, [SMALL[0]], named=False)
    assert path.read_bytes() == data


def test_a_file_that_is_no_archive_is_left_alone(path):
    path.write_bytes(b"\x89PNG")
    with pytest.raises(BitstreamError, match="not an archive"):
        written(path, SMALL)
    assert path.read_bytes() == b"\x89PNG"


def test_two_appenders_at_once_are_one_too_many(path):
    pytest.importorskip("fcntl")
    with append(path, MODEL) as appender:
        appender.add(SMALL[0])
        with pytest.raises(VqvaeError, match="another process is appending"):
            written(path, SMALL[1:])
    assert list(Archive(path)) == SMALL[:1]


def test_what_was_added_before_an_interruption_is_kept(path):
    with pytest.raises(KeyboardInterrupt), append(path, MODEL) as appender:
        appender.add(SMALL[0])
        raise KeyboardInterrupt
    assert list(Archive(path)) == SMALL[:1]


def test_a_full_disk_is_an_error_with_the_name_of_the_archive_and_goes_on_when_there_is_room(path, monkeypatch):
    with append(path, MODEL) as appender:
        appender.add(SMALL[0])
        appender.flush()
        appender.add(SMALL[1])
        with monkeypatch.context() as patch, pytest.raises(OSError, match=r"images.vqa"):
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            appender.flush()
    assert list(Archive(path)) == SMALL[:2]


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
