"""Files that are there whole or not at all."""

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
