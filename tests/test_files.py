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
