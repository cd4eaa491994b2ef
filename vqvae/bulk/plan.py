"""Inputs and outputs of a run."""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vqvae.bulk.names import target_names
from vqvae.bulk.outputs import check_local
from vqvae.errors import UsageError, VqvaeError
from vqvae.media.images import READABLE

COMPRESSED = {".vqz"}
OURS = {".vqz", ".vqa"}


class Job(NamedTuple):
    """An input file and its output.

    Attributes:
        source: the input.
        target: the output.
        folder: must contain the output, links resolved; None for no restriction.
    """

    source: Path
    target: Path
    folder: Path | None = None

    def __str__(self) -> str:
        return str(self.source)


class Found(NamedTuple):
    """The files of a folder, or a single named file.

    Attributes:
        root: the folder.
        files: the files to process, sorted.
        skipped: number of other files in the folder, by suffix.
    """

    root: Path
    files: list[Path]
    skipped: Counter[str]


class Plan(NamedTuple):
    """The jobs of a command.

    Attributes:
        jobs: in order, without repetitions.
        skipped: for each folder given, its files of other types: their number by suffix.
    """

    jobs: list[Job]
    skipped: dict[Path, Counter[str]]


def find_files(path: Path, suffixes: Collection[str]) -> Found:
    """The file itself, whatever its suffix, or a folder's files with one of these suffixes, at any depth.

    Images and compressed files are not counted as skipped, as they are expected beside each other.

    Raises:
        VqvaeError: a folder without such files.
    """
    if not path.is_dir():
        return Found(path.parent, [path], Counter())
    found, skipped = [], Counter[str]()
    for file in walk(path):
        suffix = file.suffix.lower()
        if suffix in suffixes:
            found.append(file)
        elif suffix not in OURS | READABLE and not file.name.startswith("."):
            skipped[suffix or "(none)"] += 1
    if not found:
        others = f", but {describe_skipped(skipped)}" if skipped else ""
        raise VqvaeError(f"{path}: no files of type {', '.join(sorted(suffixes))} in this folder{others}")
    return Found(path, sorted(found), skipped)


def find_all(inputs: Sequence[Path], suffixes: Collection[str]) -> list[Found]:
    """The files of each input.

    Raises:
        VqvaeError: a folder without files that have one of these suffixes.
    """
    return [find_files(given, suffixes) for given in inputs]


def describe_skipped(skipped: Counter[str]) -> str:
    """The number of files by type: `3 of type .txt, 1 of type .psd`."""
    return ", ".join(f"{number} of type {suffix}" for suffix, number in skipped.most_common())


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    suffixes: Collection[str],
    target_suffix: str,
    without_suffix: bool = False,
) -> Plan:
    """The job of each input file: its output is beside it, or in `output`, where folders keep their tree.

    Args:
        inputs: files and folders.
        output: a file name for a single input file, otherwise a folder.
        suffixes: of the files to find in folders; replaced in the names of outputs, see `target_names`.
        target_suffix: of the files to write, unless `output` names the file.
        without_suffix: whether files without a suffix may be inputs, too, so that outputs must differ from theirs.

    Raises:
        UsageError: `output` names a file, but the inputs are several, or it is a URL.
        VqvaeError: a folder without such files.
    """
    check_local(output)
    if output is not None and output.suffix and not output.is_dir():
        if len(inputs) == 1 and not inputs[0].is_dir():
            return Plan([Job(inputs[0], output)], {})
        if output.suffix.lower() in READABLE | COMPRESSED:
            raise UsageError(f"-o {output} names one file, but the inputs are several: name a folder")
    found = find_all(inputs, suffixes)
    replaced = {*suffixes, ""} if without_suffix else suffixes
    targets = _name_targets((file for one in found for file in one.files), replaced, target_suffix)
    jobs = [
        Job(
            file, (output / file.relative_to(one.root) if output else file).with_name(targets[file]), output or one.root
        )
        for one in found
        for file in one.files
    ]
    return Plan(list(dict.fromkeys(jobs)), {one.root: one.skipped for one in found if one.skipped})


def _name_targets(files: Iterable[Path], suffixes: Collection[str], target_suffix: str) -> dict[Path, str]:
    """The name of each file's output, which depends on all files beside it."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        folders[file.parent].append(file)
    targets: dict[Path, str] = {}
    for folder, here in folders.items():
        names = [*_names_beside(folder, suffixes), *(file.name for file in here)]
        named = target_names(sorted(set(names)), suffixes, target_suffix)
        targets |= {file: named[file.name] for file in here}
    return targets


def _names_beside(folder: Path, suffixes: Collection[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (e.name for e in entries if Path(e.name).suffix.lower() in suffixes and e.is_file())
    except OSError:  # the folder is missing: reported when its file is read
        return


def walk(folder: Path) -> Iterator[Path]:
    """All files of a folder at any depth; links to folders are not followed. Not recursive, as folders may be deep."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path)
