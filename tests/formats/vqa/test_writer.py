"""Appending to archives: what is refused, what is kept."""

import os

import pytest

from tests.formats.vqa.conftest import MODEL, SMALL, written
from vqvae.errors import BitstreamError, UsageError, VqvaeError
from vqvae.formats import ModelId
from vqvae.formats.varint import LARGEST
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqa.writer import append


def test_adding_leaves_what_is_there_as_it_is(path):
    before = written(path, SMALL[:1])
    assert written(path, SMALL[1:]).startswith(before)


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
        pytest.raises(BitstreamError, match=r"another model: its id begins with 0001.*this model's with 0000"),
        append(path, ModelId(bytes(32), bytes(32))),
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
