"""What output files are called."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import chain, count
from pathlib import PurePosixPath


def _same(name: str) -> str:
    return name


fold_case: Callable[[str], str] = str.casefold if sys.platform in ("win32", "darwin") else _same
"""Names that this makes equal are one file, on the file systems that are usual here."""


def target_names(
    names: Iterable[str], suffixes: Collection[str], target_suffix: str, fold: Callable[[str], str] = fold_case
) -> dict[str, str]:
    """The output file of each input file: `a.png` becomes `a.vqz`, by the names alone, whichever are asked for.

    Where that would also be the name of another one's output (`a.jpg` beside `a.png`), or of a folder, the input keeps
    its suffix: `a.png.vqz`. Where even that is the name of a folder, or differs from another in case alone on a system
    that ignores case, a number is added.

    Args:
        names: of all files that there are, not only of those that are going to be processed; paths with slashes.
        suffixes: those that are replaced, in lower case; others are part of the name.
        target_suffix: of the output files.
        fold: makes names equal that cannot exist side by side.
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
