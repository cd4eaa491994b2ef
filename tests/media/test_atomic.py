"""Files that are there whole or not at all."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from vqvae.media.atomic import atomic_path


def test_the_file_appears_when_the_block_ends_and_folders_with_it(tmp_path):
    target = tmp_path / "deep" / "er" / "file"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists() and temporary.parent == target.parent
    assert target.read_text() == "whole" and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_before_and_nothing_else(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("before")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("ha")
        raise error
    assert target.read_text() == "before" and list(tmp_path.iterdir()) == [target]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError, match="file") as caught, atomic_path(tmp_path / "file") as temporary:
        temporary.read_text()
    assert caught.value.filename == str(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        with atomic_path(pipe) as temporary:
            temporary.write_text("through it")
        assert read.result(timeout=10) == "through it"
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_two_threads_that_write_one_file_leave_what_one_of_them_wrote(tmp_path):
    both = Barrier(2, timeout=10)

    def write(text: str) -> None:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text(text)
            both.wait()
            assert temporary.read_text() == text

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ["one", "another"]))
    assert (tmp_path / "file").read_text() in ("one", "another") and list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_any_name_that_the_file_system_takes_can_be_written(tmp_path):
    for name in ("x" * 255, "像" * 85):
        with atomic_path(tmp_path / name) as temporary:
            temporary.write_text("whole")
        assert (tmp_path / name).read_text() == "whole"


def test_two_processes_of_the_same_number_have_temporary_files_of_their_own(tmp_path):
    """On two machines that share a folder, process and thread numbers are the same by chance."""
    with atomic_path(tmp_path / "file") as first, atomic_path(tmp_path / "file") as second:
        assert first != second
        first.write_text("one")
        second.write_text("another")
    assert (tmp_path / "file").read_text() == "one" and list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode
