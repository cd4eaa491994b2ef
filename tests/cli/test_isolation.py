"""One bad item is one line; all others are done, and the exit code is 1."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.cli.conftest import errors, files
from vqvae.cli import main
from vqvae.codec import ImageCodec
from vqvae.formats.vqa.reader import Archive


class Unforeseen(Exception):
    """Of a kind that nobody thinks of."""


FAULTS = [
    RuntimeError("boom\non two lines"),
    IndexError("boom"),
    struct.error("boom"),
    MemoryError(),
    RecursionError("boom"),
    torch.OutOfMemoryError("CUDA out of memory: boom"),
    Unforeseen("boom"),
]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three images of one size; the second is red."""
    folder = tmp_path / "three"
    folder.mkdir()
    for name, colour in {"a": "black", "b": "red", "c": "white"}.items():
        Image.new("RGB", (24, 16), colour).save(folder / f"{name}.png")
    return folder


def break_reading(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the file b.png ends in an exception of a library."""
    really = Image.open

    def read(file, *arguments, **options):
        if isinstance(file, Path) and file.name == "b.png":
            raise fault
        return really(file, *arguments, **options)

    monkeypatch.setattr(Image, "open", read)


def break_network(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever encodes a red image, alone or with others, ends in an exception of a library."""
    really = ImageCodec.compress_batch

    def encode(self, batch, *arguments, **options):
        if any((image[0, 0] == [255, 0, 0]).all() for image in batch):
            raise fault
        return really(self, batch, *arguments, **options)

    monkeypatch.setattr(ImageCodec, "compress_batch", encode)


BREAK = {"reading": break_reading, "network": break_network}


def one_error(result) -> str:
    (line,) = errors(result)
    assert "b.png" in line
    return line


COMMANDS: dict[str, Callable] = {
    "archive": lambda vqvae, three, out: vqvae("encode", three, "--archive", out / "x.vqa", code=1),
    "eval": lambda vqvae, three, out: vqvae("eval", three, "--json", out / "x.json", code=1),
    "against": lambda vqvae, three, out: vqvae("eval", three, "--against", "jpeg", "--json", out / "x.json", code=1),
    "compare": lambda vqvae, three, out: vqvae("compare", three, "-o", out / "x.html", code=1),
}


def done(command: str, out: Path) -> int:
    """How many images came through."""
    match command:
        case "archive":
            return len(Archive(out / "x.vqa"))
        case "compare":
            return (out / "x.html").read_text().count("<figure>")
    return json.loads((out / "x.json").read_text())["images"]


@pytest.mark.parametrize("step", BREAK)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_a_library_raises_is_that_files_failure(vqvae, three, tmp_path, step, fault, monkeypatch):
    BREAK[step](fault, monkeypatch)
    reason = one_error(vqvae("encode", three, "-o", tmp_path / "out", code=1))
    assert "boom" in reason or "not enough memory" in reason
    assert files(tmp_path / "out") == ["a.vqz", "c.vqz"]


@pytest.mark.parametrize("step", BREAK)
@pytest.mark.parametrize("command", COMMANDS)
def test_in_every_command(vqvae, three, tmp_path, step, command, monkeypatch):
    BREAK[step](Unforeseen("boom"), monkeypatch)
    assert "boom" in one_error(COMMANDS[command](vqvae, three, tmp_path / "out"))
    assert done(command, tmp_path / "out") == 2


def test_in_decoding(vqvae, three, tmp_path, monkeypatch):
    vqvae("encode", three, "-o", tmp_path / "small")
    vqvae("encode", three, "--archive", tmp_path / "x.vqa")
    bad = (tmp_path / "small" / "b.vqz").read_bytes()
    really = ImageCodec.decompress_batch

    def decode(self, coded, *arguments, **options):
        if any(one.sections[0] in bad for one in coded):
            raise Unforeseen("boom")
        return really(self, coded, *arguments, **options)

    monkeypatch.setattr(ImageCodec, "decompress_batch", decode)
    for source, failed in {tmp_path / "small": "b.vqz", tmp_path / "x.vqa": "b.png"}.items():
        (line,) = errors(vqvae("decode", source, "-o", tmp_path / "back", "--force", code=1))
        assert failed in line and "boom" in line
        assert files(tmp_path / "back") == ["a.png", "c.png"]


def test_an_exception_that_no_item_is_to_blame_for_is_one_line_too(monkeypatch, capsys):
    def fail(*arguments):
        raise Unforeseen("boom\nboom")

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main.main([])
    assert ended.value.code == 1 and capsys.readouterr().err == "error: vqvae: Unforeseen: boom boom\n"
    monkeypatch.setenv("VQVAE_TRACEBACK", "1")
    with pytest.raises(Unforeseen):
        main.main([])


def test_an_image_too_wide_for_webp_does_not_cost_the_page(vqvae, tmp_path):
    Image.linear_gradient("L").resize((16384, 8)).convert("RGB").save(tmp_path / "b.png")
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "a.png")
    vqvae("compare", tmp_path, "-o", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure>") == 2 and "data:image/png" in page and "data:image/webp" in page
