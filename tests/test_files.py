"""Files that are there whole or not at all."""

import pytest

from vqvae.files import atomic_path


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
