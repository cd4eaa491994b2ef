"""Command lines: commands with real and hostile files, options with real and hostile values, in any combination.

Each is run in this process, in a folder of small files that is laid anew. It must end with exit code 0, 1 or 2;
with 1 or 2 it must say why, never with a traceback or with the name of an exception that is not the project's own.
"""

import contextlib
import io
import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from PIL import Image

from benchmarks.fuzz.door import GOLDEN, Door
from vqvae.cli.main import main
from vqvae.models import store

COMMANDS = ("encode", "decode", "eval", "compare", "info", "models", "", "nothing")
INPUTS = (
    *("a.png", "b.jpg", "photos", "empty", "damaged.png", "text.txt", "a.vqz", "cut.vqz", "x.vqa", "cut.vqa"),
    *(
        "missing",
        "missing/a.png",
        "-",
        "",
        ".",
        "a.png/b",
        "c d ü 汉.png",
        "\x01\n.png",
        "x" * 300,
        "~",
        "http://a/b.png",
    ),
    *("none.vqa", "deep/er", "model.safetensors", "wide.png", "alpha.png", "loop", "nul.png\\", "*.png", "/dev/null"),
)
OPTIONS = {
    "-o": (*INPUTS, "out", "out.vqz", "out.png", "out.jpg", "out/", "new/deep/out", "out.unknown", "photos/a.png"),
    "--archive": ("new.vqa", "x.vqa", "cut.vqa", "photos", "a.png", "", "missing/new.vqa"),
    "--model": (
        "cifar",
        "tiny",
        "model.safetensors",
        "a.png",
        "photos",
        "",
        "missing.safetensors",
        "text.txt",
        "/dev/null",
    ),
    "--quality": ("0", "50", "100", "-1", "101", "nan", "inf", "1e400", "x", "", "50.5"),
    "--bpp": ("0", "0.5", "1e9", "-1", "nan", "inf", "x", ""),
    "--workers": ("0", "1", "3", "-1", "x", "1.5"),
    "--device": ("cpu", "cuda", "cuda:99", "meta", "", "x", "cpu:7"),
    "--stages": ("1", "3", "0", "99", "-1", "x", str(2**70)),
    "--max-pixels": ("1", "100", "0", str(2**80), "-3", "x"),
    "--format": ("png", "jpg", "webp", "avif", ".png", "", "x", "ico", "gif", "tiff", "../png", "png/x", "wav"),
    "--only": ("a.png", "missing", "", "../a"),
    "--against": ("jpeg", "jpeg,webp", "", ",", "x", "jpeg,jpeg"),
    "--json": ("-", "r.json", "missing/r.json", "photos", "", "a.png", "/dev/full"),
    "--plot": ("p.png", "p.svg", "p", "photos", ""),
    "--crops": ("c.png", "c.x", "photos"),
    "--data": ("photos", "missing"),
    "--kbps": ("13.2", "5", "100", "nan", "x"),
    **dict.fromkeys(
        ("--force", "--progressive", "--metadata", "--no-names", "--constant", "--help", "--version", "--x"), ("",)
    ),
}
FLAGS = {"--force", "--progressive", "--metadata", "--no-names", "--constant", "--help", "--version", "--x"}
FOREIGN = re.compile(r"Traceback|^error: .*\b(?!OSError)[A-Z]\w*(Error|Exception)\b", re.MULTILINE)


class Arguments(Door):
    """Command lines, with a zero byte between arguments."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        lay(folder / "sound")
        store.FOLDER, store.SMALL_IMAGES, store.PHOTOGRAPHS = folder / "sound" / "models", "tiny", "tiny"
        self.home = Path.cwd()

    @cached_property
    def seeds(self) -> dict[str, bytes]:
        return {}

    def inputs(self, seed: int) -> Iterator[tuple[str, bytes]]:
        draw = random.Random(seed)
        while True:
            arguments = [draw.choice(COMMANDS)] if draw.random() < 0.98 else []
            arguments += [draw.choice(INPUTS) for _ in range(draw.choice((0, 1, 1, 1, 2, 3)))]
            for option in draw.sample(list(OPTIONS), draw.choice((0, 1, 1, 2, 3, 5))):
                value = draw.choice(OPTIONS[option])
                arguments += [option] if option in FLAGS else [option, value]
            yield arguments[0] if arguments and arguments[0] in COMMANDS[:6] else "other", "\0".join(arguments).encode()

    def check(self, kind: str, data: bytes) -> str:
        folder = self.folder / "run"
        shutil.copytree(self.folder / "sound", folder, symlinks=True)
        os.chdir(folder)
        try:
            code, said = run(data.decode().split("\0") if data else [])
        finally:
            os.chdir(self.home)
            shutil.rmtree(folder)
        assert code in (0, 1, 2), code
        found = FOREIGN.search(said)
        assert not found, said[found.start() :].splitlines()[0]
        assert code == 0 or said.strip(), "no word of what went wrong"
        return "refused" if code else "accepted"


def run(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    said, sound = io.StringIO(), (sys.stdin, sys.stdout, sys.stderr)
    with contextlib.ExitStack() as stack:
        out = io.TextIOWrapper(io.BytesIO(), write_through=True)
        stack.callback(lambda: setattr(sys, "stdin", sound[0]))
        sys.stdin = io.TextIOWrapper(io.BytesIO(b"nothing"))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(said))
        try:
            main(arguments)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        written = out.buffer.getvalue().decode(errors="replace")  # type: ignore[attr-defined]
    return code, said.getvalue() + (written if code else "")


def lay(folder: Path) -> None:
    """A folder of files to name: sound, damaged, odd, and none."""
    for name in ("photos/deep", "empty", "deep/er", "models"):
        (folder / name).mkdir(parents=True)
    image = Image.radial_gradient("L").resize((13, 11)).convert("RGB")
    for name in ("a.png", "b.jpg", "c d ü 汉.png", "photos/a.png", "photos/a.jpg", "photos/deep/b.png"):
        image.save(folder / name)
    clear = image.copy()
    clear.putalpha(image.convert("L"))
    clear.save(folder / "alpha.png")
    Image.new("RGB", (5000, 1)).save(folder / "wide.png")
    (folder / "damaged.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "text.txt").write_text("nothing")
    (folder / "loop").symlink_to("loop")
    for name, source in {"a.vqz": "v5-rvq-progressive.vqz", "x.vqa": "v1-archive.vqa"}.items():
        data = (GOLDEN / source).read_bytes()
        (folder / name).write_bytes(data)
        (folder / f"cut{Path(name).suffix}").write_bytes(data[:-5])
    for name in ("models/tiny.safetensors", "model.safetensors"):
        shutil.copy(GOLDEN / "v5-rvq.safetensors", folder / name)
