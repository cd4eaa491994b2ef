"""What the blocks of an archive may say, and what images may be called."""

import pytest

from tests.formats.vqa.conftest import MODEL, block_of, opened, written
from vqvae.errors import BitstreamError, VqvaeError
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import Archive, Header

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
        opened(path, Header(MODEL.whole, named=True).pack() + block_of(numbers, names, b"12345"))


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
        opened(path, Header(MODEL.whole, named=True).pack() + block_of(ONE, name.encode(), b"12345"))


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
        opened(path, Header(MODEL.whole, named=False).pack() + block_of(ONE, b"a", b"12345"))
