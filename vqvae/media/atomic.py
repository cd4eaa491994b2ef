"""Atomic writes: files are complete, or not there."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it if the block succeeds, removed otherwise.

    Its name is random, so that it is unique among threads, processes and machines that share the folder, and short, so
    that it is valid wherever `path` is. A device or a pipe is written to directly.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a full disk has no name
            error.filename = str(path)  # the name that the person knows
        raise
    finally:
        temporary.unlink(missing_ok=True)
