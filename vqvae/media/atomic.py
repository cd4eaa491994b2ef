"""Files that are there whole or not at all."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved there when the block ends well, removed when it does not.

    Its name is random, so that no other thread, process or machine that shares the folder has the same, and short, so
    that there is room for it wherever there is for `path`.
    """
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
