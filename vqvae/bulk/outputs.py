"""Checks of output paths, and their folders."""

import re
import sys
import tempfile
from pathlib import Path, PurePosixPath

from vqvae.errors import UsageError, VqvaeError

REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path has lost the second slash; C:/ is a drive

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""Names of devices on Windows, whatever their suffix."""

FORBIDDEN = set('<>:"|?*')  # in names, on Windows


def check_local(path: Path | None) -> None:
    """Raises UsageError for a URL, which would become a folder of this name."""
    if path is not None and REMOTE.match(str(path)):
        raise UsageError(f"{path}: looks like a URL, but only local files are read and written: copy it yourself")


def check_name(name: str, windows: bool = sys.platform == "win32") -> None:
    """Refuses file names that are reserved on this system.

    Args:
        name: a relative path with slashes.
        windows: whether the system is Windows.

    Raises:
        VqvaeError: a part of the path is reserved.
    """
    for part in PurePosixPath(name).parts if windows else ():
        if part.split(".")[0].strip().lower() in RESERVED or FORBIDDEN & set(part) or part[-1] in ". ":
            raise VqvaeError(f"{name}: Windows allows no file of the name {part!r}: decode it on another system")


def check_inside(path: Path, folder: Path) -> None:
    """Raises VqvaeError if a link in a path leads out of the folder."""
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise VqvaeError(
            f"{path}: a link on the way to it leads out of {folder}: remove the link, or choose another -o"
        )


def make_folders(folder: Path) -> None:
    """Makes a folder and its parents. Not recursive, as folders may be deeply nested."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)


def claim_report(path: Path | None, option: str, overwrite: bool) -> None:
    """Checks, before any work, that a report can be written.

    Args:
        path: of the report; None for no report.
        option: the command line option that names it.
        overwrite: whether to replace a file that exists.

    Raises:
        UsageError: it exists, or is a URL.
        OSError: its folder cannot be written to.
    """
    if path is None:
        return
    check_local(path)
    if path.is_dir() or (path.exists() and not overwrite):
        remedy = f"name a file with {option}" if path.is_dir() else f"--force replaces it, {option} names another"
        raise UsageError(f"{path}: exists: {remedy}")
    make_folders(path.parent)
    tempfile.TemporaryFile(dir=path.parent).close()
