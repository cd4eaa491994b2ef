"""The commands of `vqvae` and their options. Light to import, so that `--help` is fast."""

from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import typer


def finish(all_done: bool) -> NoReturn:
    """Exits a command with its exit code."""
    raise typer.Exit(0 if all_done else 1)


def is_sound(path: Path) -> bool:
    """Whether the input of a command is a sound file, or a folder whose first known file is one, not an image."""
    from vqvae.media.audio import HEADER_BYTES, READABLE_AUDIO, is_audio_header
    from vqvae.media.images import READABLE

    if path.is_dir():
        return _first_known(path, READABLE_AUDIO, READABLE)
    return path.suffix.lower() in READABLE_AUDIO or is_audio_header(_head(path, HEADER_BYTES))


def is_coded_speech(path: Path) -> bool:
    """Whether the input of a command is a .vqs file, or a folder whose first known file is one, not .vqz or .vqa."""
    from vqvae.formats.vqs import MAGIC

    if path.is_dir():
        return _first_known(path, {".vqs"}, {".vqz", ".vqa"})
    return path.suffix.lower() == ".vqs" or _head(path, len(MAGIC)) == MAGIC


def _first_known(folder: Path, suffixes: Collection[str], others: Collection[str]) -> bool:
    from vqvae.bulk.plan import walk

    known = (file.suffix.lower() for file in walk(folder))
    return next((suffix in suffixes for suffix in known if suffix in suffixes or suffix in others), False)


def _head(path: Path, size: int) -> bytes:
    """The first bytes of a file; none where it cannot be read, which is told when all of it is."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""
