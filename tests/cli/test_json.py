"""`--json`: what every command reports, in one shape."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import errors
from vqvae.evaluation import psnr
from vqvae.media.images import read_image


@pytest.fixture
def damaged(tree: Path) -> Path:
    """Beside two images, a file that is none."""
    (tree / "damaged.png").write_text("nothing")
    return tree


def report(vqvae, *arguments: object, code: int = 0) -> dict:
    """What a command writes to standard output, which must be JSON alone."""
    result = vqvae(*arguments, "--json", "-", code=code)
    found = json.loads(result.stdout)
    assert list(found)[:2] == ["command", "program"] and list(found)[-1] == "errors"
    assert found["command"] == arguments[0] and found["program"].startswith("vqvae ")
    assert [error["error"] for error in found["errors"]] == [line.removeprefix("error: ") for line in errors(result)]
    return found


def test_encode_tells_what_became_of_every_file(vqvae, damaged, tmp_path):
    found = report(vqvae, "encode", damaged, "-o", tmp_path / "small", code=1)
    assert (found["written"], found["kept"], found["failed"]) == (2, 0, 1)
    assert found["skipped"] == {str(damaged): {".txt": 1}}
    assert [error["item"] for error in found["errors"]] == [str(damaged / "damaged.png")]
    first = found["per_file"][0]
    assert (first["source"], first["target"]) == (str(damaged / "a.png"), str(tmp_path / "small" / "a.vqz"))
    assert (first["width"], first["height"], first["kept"], first["lost"]) == (53, 37, False, [])
    assert first["bytes"] == (tmp_path / "small" / "a.vqz").stat().st_size
    again = report(vqvae, "encode", damaged, "-o", tmp_path / "small", code=1)
    assert (again["written"], again["kept"], again["failed"]) == (0, 2, 1)
    assert [list(row) for row in again["per_file"]] == [["source", "target", "kept"]] * 2


def test_decode_has_the_same_shape(vqvae, tree, tmp_path):
    vqvae("encode", tree, "-o", tmp_path / "small")
    (tmp_path / "small" / "cut.vqz").write_bytes((tmp_path / "small" / "a.vqz").read_bytes()[:-1])
    found = report(vqvae, "decode", tmp_path / "small", "-o", tmp_path / "back", code=1)
    assert (found["written"], found["failed"]) == (2, 1) and "cut.vqz" in found["errors"][0]["item"]
    assert [Path(row["target"]).name for row in found["per_file"]] == ["a.png", "b.png"]


def test_archives_are_told_in_the_same_shape(vqvae, damaged, tmp_path):
    path = tmp_path / "x.vqa"
    found = report(vqvae, "encode", damaged, "--archive", path, code=1)
    assert (found["archive"], found["images"], found["bytes"]) == (str(path), 2, path.stat().st_size)
    assert (found["written"], found["failed"]) == (2, 1)
    assert [(row["width"], row["height"]) for row in found["per_file"]] == [(53, 37), (53, 20)]
    assert report(vqvae, "encode", damaged, "--archive", path, code=1)["kept"] == 2
    found = report(vqvae, "decode", path, "-o", tmp_path / "back", "--only", "a.png", "--only", "none", code=1)
    assert (found["written"], found["failed"]) == (1, 1) and found["errors"][0]["item"] == "none"


def test_compare_and_eval_tell_the_figures_of_each_image(vqvae, damaged, tmp_path, tiny_codec):
    page = tmp_path / "page.html"
    compared = report(vqvae, "compare", damaged, "-o", page, code=1)
    assert (compared["page"], compared["images"]) == (str(page), 2)
    image = read_image(damaged / "a.png")
    data = tiny_codec.compress(image)
    for found in (compared, report(vqvae, "eval", damaged, code=1)):
        row = next(row for row in found["per_image"] if row["name"].endswith("a.png"))
        assert (row["bytes"], row["bpp"]) == (len(data), 8 * len(data) / (53 * 37))
        assert row["psnr"] == pytest.approx(psnr(image, tiny_codec.decompress(data)))


@pytest.mark.parametrize("options", [[], ["--against", "jpeg"]])
def test_eval_reports_even_where_no_image_could_be_read(vqvae, damaged, options):
    found = report(vqvae, "eval", damaged / "damaged.png", *options, code=1)
    assert found["images"] == 0 and len(found["errors"]) == 1


def test_info_and_models_are_reports_too(vqvae, tree, tmp_path):
    path = tmp_path / "x.vqa"
    vqvae("encode", tree, "--archive", path)
    assert report(vqvae, "info", path)["images"] == 2
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "block 0: corrupt" in report(vqvae, "info", path, code=1)["errors"][0]["error"]
    model, speech = report(vqvae, "models")["models"]
    assert model["model"] == "tiny" and model["bytes"] > 1000 and isinstance(model["parameters"], int)
    assert speech["model"] == "speech" and speech["kbps"] == [6, 64]


def test_a_report_may_be_a_file_which_is_kept_unless_forced(vqvae, photo_file, tmp_path):
    path = tmp_path / "deep" / "report.json"
    vqvae("encode", photo_file, "--json", path)
    assert json.loads(path.read_text())["written"] == 1
    for arguments in (("encode", photo_file), ("info", photo_file.with_suffix(".vqz")), ("models",)):
        before = path.read_text()
        assert "exists: --force replaces it" in vqvae(*arguments, "--json", path, code=2).output
        assert path.read_text() == before
        vqvae(*arguments, "--json", path, "--force")
        assert json.loads(path.read_text())["command"] == arguments[0]


def test_standard_output_is_for_one_thing(vqvae, photo_file):
    said = vqvae("encode", photo_file, "-o", "-", "--json", "-", code=2).output
    assert "--json - and -o - both write to standard output" in said
