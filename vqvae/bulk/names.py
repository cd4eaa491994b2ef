"""Names of output files."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import chain, count
from pathlib import PurePosixPath


def _same(name: str) -> str:
    return name


fold_case: Callable[[str], str] = str.casefold if sys.platform in ("win32", "darwin") else _same
"""Maps names to equal strings if they are the same file on the usual file systems of this platform."""


def target_names(
    names: Iterable[str], suffixes: Collection[str], target_suffix: str, fold: Callable[[str], str] = fold_case
) -> dict[str, str]:
    """The output file of each input file: `a.png` becomes `a.vqz`.

    If that is also the output of another file (`a.jpg` beside `a.png`), or a folder, the input keeps its suffix:
    `a.png.vqz`. If even that is a folder, or equals another name on a system that ignores case, a number is added.

    Args:
        names: of all existing files, not only of those to process; paths with slashes.
        suffixes: the suffixes to replace, in lower case; others are part of the name.
        target_suffix: of the output files.
        fold: maps names that cannot coexist to equal strings.
    """
    whole = list(dict.fromkeys(names))
    short = [_without_suffix(name, suffixes) for name in whole]
    users = Counter(fold(name) for pair in zip(whole, short, strict=True) for name in set(pair))
    taken = {fold(str(parent)) for name in whole for parent in PurePosixPath(name).parents}
    targets = {}
    for name, stem in zip(whole, short, strict=True):
        numbered = (f"{name} ({number})" for number in count(2))
        options = chain([stem if users[fold(stem)] == 1 else name, name], numbered)
        targets[name] = next(option + target_suffix for option in options if fold(option + target_suffix) not in taken)
        taken.add(fold(targets[name]))
    return targets


def _without_suffix(name: str, suffixes: Collection[str]) -> str:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in suffixes else name
