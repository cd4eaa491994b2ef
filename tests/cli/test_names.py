"""Names of files: which output belongs to which input, and names that file systems or consoles have trouble with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import errors, files
from tests.conftest import REPOSITORY
from vqvae.bulk.outputs import check_name
from vqvae.errors import VqvaeError
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqa.writer import append
from vqvae.media.images import read_image


def image(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), (level, level, level)).save(path, "PNG")
    return path


def test_images_that_differ_in_their_suffix_alone_are_both_encoded_in_whichever_runs(vqvae, tmp_path):
    for name in ("a.jpg", "a.png", "b.png"):
        image(tmp_path / name)
    for name in ("a.jpg", "a.png"):
        assert "kept" not in vqvae("encode", tmp_path / name).output
    vqvae("encode", tmp_path)
    assert {"a.jpg.vqz", "a.png.vqz", "b.vqz"} < set(files(tmp_path)) and "a.vqz" not in files(tmp_path)
    vqvae("decode", tmp_path, "-o", tmp_path / "back")
    assert files(tmp_path / "back") == ["a.jpg.png", "a.png.png", "b.png"]


def test_an_image_that_came_later_is_not_taken_for_the_one_before(vqvae, tmp_path):
    vqvae("encode", image(tmp_path / "a.jpg"))
    assert "kept" not in vqvae("encode", image(tmp_path / "a.png", 255)).output
    assert {"a.vqz", "a.png.vqz"} < set(files(tmp_path))


def test_a_dot_in_a_name_begins_no_suffix_unless_it_is_one_of_images(vqvae, tmp_path):
    for name in ("IMG.0001", "IMG.0002", "v1.5.png"):
        assert "kept" not in vqvae("encode", image(tmp_path / name)).output
    assert {"IMG.0001.vqz", "IMG.0002.vqz", "v1.5.vqz"} < set(files(tmp_path))


def test_files_that_are_skipped_in_folders_are_counted_by_type(vqvae, tmp_path):
    for name in ("a.png", "b.TXT", "deep/c.txt", "d.psd", "e", ".hidden"):
        image(tmp_path / name)
    said = vqvae("encode", tmp_path).output
    assert f"{tmp_path}: skipped 2 of type .txt, 1 of type" in said and ".psd" in said and "(none)" in said
    said = vqvae("encode", tmp_path, "--archive", tmp_path / "x.vqa").output  # .vqz files are no surprise
    assert "skipped 2 of type .txt" in said and ".vqz" not in said and ".vqa:" in said


def test_when_every_output_exists_the_summary_says_that_nothing_was_done(vqvae, tree):
    vqvae("encode", tree)
    assert "0 written, 2 kept, 0 failed: nothing was done, as every output exists" in vqvae("encode", tree).output
    image(tree / "new.png")
    assert "1 written, 2 kept, 0 failed\n" in vqvae("encode", tree).output


@pytest.mark.parametrize("name", ["x" * 251, "x" * 240, "画" * 83], ids=["255", "244", "CJK"])
def test_the_longest_names_there_may_be(vqvae, tmp_path, name):
    vqvae("encode", image(tmp_path / f"{name}.png"))
    vqvae("decode", tmp_path / f"{name}.vqz", "--force")


def test_a_name_that_would_become_too_long_is_one_line(vqvae, tmp_path):
    name = "x" * 251
    for suffix in (".png", ".bmp"):
        image(tmp_path / f"{name}{suffix}")
    result = vqvae("encode", tmp_path, code=1)
    assert len(errors(result)) == 2 and all("File name too long" in line for line in errors(result))


def test_names_that_are_not_utf_8(vqvae, tmp_path):
    raw = os.fsdecode(b"caf\xe9.png")
    image(tmp_path / "photos" / raw)
    image(tmp_path / "photos" / "a.png")
    vqvae("encode", tmp_path / "photos")
    vqvae("decode", tmp_path / "photos", "--force")
    vqvae("eval", tmp_path / "photos", "--json", tmp_path / "report.json")
    vqvae("compare", tmp_path / "photos", "-o", tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("<figure>") == 2
    result = vqvae("encode", tmp_path / "photos", "--archive", tmp_path / "x.vqa", code=1)
    assert len(errors(result)) == 1 and "cannot name an image" in errors(result)[0]
    assert Archive(tmp_path / "x.vqa").names == ["a.png"]


def test_a_line_break_in_a_name_does_not_break_the_line(vqvae, tmp_path):
    vqvae("encode", image(tmp_path / "a\nb.png"))
    assert "a\\nb.vqz: exists, kept" in vqvae("encode", tmp_path / "a\nb.png").output


@pytest.mark.slow
@pytest.mark.parametrize("command", ["encode", "eval", "compare"])
def test_a_console_that_cannot_show_a_name_is_no_reason_to_stop(tiny_model, tmp_path, command):
    image(tmp_path / "photos" / "画像.png")
    run = subprocess.run(
        [sys.executable, REPOSITORY / "compress.py", command, tmp_path / "photos", "--model", tiny_model],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )
    assert run.returncode == 0 and b"Traceback" not in run.stderr, run.stderr
    assert command == "compare" or b"\\u753b" in run.stdout + run.stderr


DEPTH = 1000


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A current folder that is emptied by `rm`, as Python's own way is recursive."""
    monkeypatch.chdir(tmp_path)
    yield
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)


def test_paths_of_a_thousand_folders_in_an_archive_and_on_disk(vqvae, tiny_codec, photo, deep):
    (coded,) = tiny_codec.compress_batch(photo[None])
    name = "d/" * DEPTH + "a.png"
    with append(Path("x.vqa"), tiny_codec.model_id) as appender:
        appender.add(Entry(name, 53, 37, coded.entropy_code, coded.sections[0]))
        appender.add(Entry("b.png", 53, 37, coded.entropy_code, coded.sections[0]))
    vqvae("decode", "x.vqa", "-o", "back")
    assert np.array_equal(read_image(Path("back") / name), read_image(Path("back/b.png")))
    vqvae("encode", "back", "-o", "small")
    assert Path("small", name).with_suffix(".vqz").is_file()
    vqvae("encode", "back", "--archive", "y.vqa")
    assert sorted(Archive(Path("y.vqa")).names) == ["b.png", name]


def test_an_archive_with_an_image_called_like_a_folder_and_with_suffixes_that_meet(vqvae, tmp_path):
    names = ["a.png/b.png", "x.jpg", "x.png", "x.png.jpg"]
    for number, name in enumerate(names):
        image(tmp_path / "in" / name, 40 * number)
    image(tmp_path / "other" / "a.png")
    vqvae("encode", tmp_path / "in", tmp_path / "other", "--archive", tmp_path / "x.vqa")
    vqvae("decode", tmp_path / "x.vqa", "-o", tmp_path / "back")
    expected = ["a.png.png", "a.png/b.png", "x.jpg.png", "x.png.jpg.png", "x.png.png"]
    assert files(tmp_path / "back") == expected


def test_names_that_differ_by_case_stay_two_files(vqvae, tmp_path):
    for name in ("A.png", "a.png"):
        image(tmp_path / "in" / name)
    vqvae("encode", tmp_path / "in", "--archive", tmp_path / "x.vqa")
    vqvae("decode", tmp_path / "x.vqa", "-o", tmp_path / "back")
    assert len(files(tmp_path / "back")) == 2


@pytest.mark.parametrize("name", ["aux.png", "a/NUL", "com1.tar.png", "b. /c.png", "a:b.png", "what?.png"])
def test_names_that_windows_reserves_are_refused_there_alone(name):
    with pytest.raises(VqvaeError, match="Windows"):
        check_name(name, windows=True)
    check_name(name, windows=False)
    check_name("auxiliary/a (2).b.png", windows=True)


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_link_in_the_output_folder_that_leads_outside_is_not_followed(vqvae, tree, tmp_path, command):
    vqvae("encode", tree, "-o", tmp_path / "small")
    vqvae("encode", tree, "--archive", tmp_path / "x.vqa")
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "outside")
    for source in [tree] if command == "encode" else [tmp_path / "small", tmp_path / "x.vqa"]:
        result = vqvae(command, source, "-o", tmp_path / "out", "--force", code=1)
        assert len(errors(result)) == 1 and "deep/er/b" in errors(result)[0] and "leads out of" in errors(result)[0]
    assert files(tmp_path / "outside") == []
    (tmp_path / "link").symlink_to(tmp_path / "outside")  # the output folder itself may be one
    vqvae("encode", tree, "-o", tmp_path / "link")
    assert files(tmp_path / "outside") == ["a.vqz", "deep/er/b.vqz"]


def test_a_url_is_no_folder(vqvae, photo_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    assert "looks like a URL" in vqvae("encode", photo_file, "-o", "s3://bucket/x.vqz", code=2).output
    assert "looks like a URL" in vqvae("encode", photo_file, "--archive", "s3://bucket/x.vqa", code=2).output
    assert files(tmp_path) == before
