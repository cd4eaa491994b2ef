"""The images of a folder that can be trained on: each is decoded once, in parallel, and the findings are cached."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import PIL

import vqvae
from vqvae.errors import DataError, ImageError
from vqvae.media.atomic import atomic_path
from vqvae.media.images import READABLE, read_image

logger = logging.getLogger(__name__)

THREADS = 4
"""Images decoded at once: Pillow releases the GIL, but large images take memory."""

VERSIONS = [vqvae.__version__, PIL.__version__]
"""Findings of other versions are not used."""


class Inspected(NamedTuple):
    """The images of a folder.

    Attributes:
        usable: those that can be trained on, in the order given.
        left_out: for each of the others, one line that names it and says why.
    """

    usable: list[Path]
    left_out: list[str]


class Finding(NamedTuple):
    """A cached finding about a file, valid while its modification time (ns) and size are the same.

    Attributes:
        modified, file_bytes: of the file.
        width, height: of the image, 0 if it cannot be read.
        reason: why it cannot be read, to follow its name in a sentence.
    """

    modified: int
    file_bytes: int
    width: int = 0
    height: int = 0
    reason: str = ""


class UsableImages:
    """The images in a folder and its subfolders that can be trained on.

    Args:
        root: the folder.
        smallest: height and width, in pixels, that an image needs.
    """

    def __init__(self, root: Path, smallest: int):
        self.root = root
        self.smallest = smallest
        self._reported = False

    @cached_property
    def inspected(self) -> Inspected:
        """All images, decoded once."""
        paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in READABLE)
        return inspect_images(paths, self.root, self.smallest)

    def report(self) -> None:
        """Logs which images are left out, and why; once."""
        if self._reported:
            return
        self._reported = True
        logger.info(f"{self.root}: checking all images")
        usable, left_out = self.inspected
        for line in left_out:
            logger.warning(f"left out: {line}")
        if left_out:
            logger.warning(f"{self.root}: {len(usable)} images are used, {len(left_out)} left out")

    def paths(self, least: int) -> list[Path]:
        """The usable images.

        Args:
            least: the smallest number that is enough.

        Raises:
            DataError: there are fewer.
        """
        usable, left_out = self.inspected
        if len(usable) < least:
            why = f" ({left_out[0]})" if left_out else ""
            number = f"{len(usable)} images that can be used, but at least {least} are needed"
            raise DataError(f"{self.root} holds {number}{why}: name another data.root")
        return usable


def inspect_images(paths: Sequence[Path], root: Path, smallest: int) -> Inspected:
    """Decodes all images without a cached finding, and separates usable ones from others.

    Args:
        paths: of the images.
        root: their folder; findings are cached in the user's cache folder, by its path.
        smallest: height and width, in pixels, that an image needs.
    """
    store = _store(root)
    known = _load(store)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda path: _look(path, known.get(str(path.relative_to(root)))), paths))
    findings = {str(path.relative_to(root)): finding for path, finding in zip(paths, found, strict=True)}
    if findings != known:
        _save(store, findings)
    reasons = [_why_not(finding, smallest) for finding in found]
    return Inspected(
        usable=[path for path, reason in zip(paths, reasons, strict=True) if not reason],
        left_out=[f"{path} {reason}" for path, reason in zip(paths, reasons, strict=True) if reason],
    )


def _why_not(finding: Finding, smallest: int) -> str:
    if finding.reason:
        return finding.reason
    if min(finding.width, finding.height) < smallest:
        return f"is {finding.width}×{finding.height}, smaller than the crops of {smallest}: set a smaller data.crop"
    return ""


def _look(path: Path, known: Finding | None) -> Finding:
    try:
        about = path.stat()
        finding = Finding(about.st_mtime_ns, about.st_size)
        if known and known[:2] == finding[:2]:
            return known
        height, width, _ = read_image(path).shape
        return finding._replace(width=width, height=height)
    except ImageError as error:
        return finding._replace(reason=str(error).removeprefix(f"{path}: "))
    except OSError as error:
        return Finding(0, 0, reason=f"cannot be read ({error.strerror or error})")


def _store(root: Path) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vqvae" / "images"
    return folder / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]}.json"


def _load(store: Path) -> dict[str, Finding]:
    """The cached findings; none if there is no readable cache."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        kept: Any = json.loads(store.read_text())
        if kept["versions"] == VERSIONS:
            return {name: Finding(*values) for name, values in kept["files"].items()}
    return {}


def _save(store: Path, findings: dict[str, Finding]) -> None:
    """If the cache cannot be written, images are decoded again the next time."""
    with suppress(OSError), atomic_path(store) as temporary:
        temporary.write_text(json.dumps({"versions": VERSIONS, "files": findings}))
