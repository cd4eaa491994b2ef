"""Which files are read, and where each result is written."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vqvae.errors import UsageError, VqvaeError
from vqvae.media.images import READABLE


class Job(NamedTuple):
    """One file to read and the one to write."""

    source: Path
    target: Path

    def __str__(self) -> str:
        return str(self.source)


def find_files(path: Path, suffixes: Iterable[str]) -> list[Path]:
    """The file itself, whatever its suffix, or a folder's files with one of these suffixes, at any depth.

    Raises:
        VqvaeError: a folder without such files.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    if not found:
        raise VqvaeError(f"{path}: no files of type {', '.join(sorted(suffixes))} in this folder")
    return found


def locate(inputs: Sequence[Path], suffixes: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Each file that the inputs stand for, and its path inside the folder given.

    Raises:
        VqvaeError: a folder without files that have one of these suffixes.
    """
    for given in inputs:
        root = given if given.is_dir() else given.parent
        for source in find_files(given, suffixes):
            yield source, source.relative_to(root)


def plan(inputs: Sequence[Path], output: Path | None, suffixes: Iterable[str], target_suffix: str) -> list[Job]:
    """Where each input goes, once: beside itself, or into `output`, where folders keep their inner tree.

    Args:
        inputs: files and folders.
        output: a file name for a single input file, otherwise a folder.
        suffixes: what to look for in folders.
        target_suffix: of the files to write, unless `output` names the file.

    Raises:
        UsageError: `output` names a file, but the inputs are several.
        VqvaeError: a folder holds nothing to do.
    """
    if output is not None and output.suffix and not output.is_dir():
        if len(inputs) == 1 and not inputs[0].is_dir():
            return [Job(inputs[0], output)]
        if output.suffix.lower() in {*READABLE, ".vqz"}:
            raise UsageError(f"-o {output} names one file, but the inputs are several: name a folder")
    jobs = (
        Job(source, (output / inner if output else source).with_suffix(target_suffix))
        for source, inner in locate(inputs, suffixes)
    )
    return list(dict.fromkeys(jobs))
