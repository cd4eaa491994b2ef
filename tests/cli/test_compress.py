"""The command line as a person uses it: what it writes, says and returns."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import errors, files
from tests.conftest import reconstruct
from tests.profiles import DISPLAY_P3
from vqvae.cli import main
from vqvae.evaluation import psnr
from vqvae.media.images import read_image
from vqvae.models.file import load_codec


def test_a_photo_goes_to_a_file_beside_it_and_comes_back_as_the_models_reconstruction(vqvae, photo_file, tiny_codec):
    vqvae("encode", photo_file)
    compressed = photo_file.with_suffix(".vqz")
    photo_file.rename(photo_file.with_name("original.png"))
    vqvae("decode", compressed)
    original = read_image(photo_file.with_name("original.png"))
    assert np.array_equal(read_image(photo_file), reconstruct(tiny_codec, original))


def test_transparency_profile_and_metadata_go_there_and_back_and_info_counts_them(vqvae, photo, tmp_path):
    image = Image.fromarray(photo).convert("RGBA")
    image.putalpha(Image.fromarray(photo[..., 0]))
    exif = Image.Exif()
    exif[0x010E] = "a photograph"
    source, small, back = (tmp_path / name for name in ("in.png", "small.vqz", "back.png"))
    image.save(source, icc_profile=DISPLAY_P3, exif=exif)
    vqvae("encode", source, "-o", small, "--metadata")
    facts = json.loads(vqvae("info", small, "--json", "-").output)
    assert facts["alpha_bytes"] > 50 and facts["profile_bytes"] > 100 and facts["exif_bytes"] > 10
    parts = sum(facts[f"{part}_bytes"] for part in ("payload", "alpha", "profile", "exif"))
    assert parts < facts["bytes"] < parts + 40
    vqvae("decode", small, "-o", back)
    with Image.open(back) as decoded:
        assert np.array_equal(np.asarray(decoded)[..., 3], photo[..., 0])
        assert decoded.info["icc_profile"] == DISPLAY_P3 and decoded.getexif()[0x010E] == "a photograph"
    assert "cannot hold the image's transparency" in vqvae("decode", small, "-o", tmp_path / "b.jpg", code=1).output
    vqvae("encode", source, "-o", small, "--force")
    assert "exif_bytes" not in json.loads(vqvae("info", small, "--json", "-").output)


def test_what_an_output_format_cannot_hold_is_told(vqvae, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "in.png", icc_profile=DISPLAY_P3)
    vqvae("encode", tmp_path / "in.png")
    said = vqvae("decode", tmp_path / "in.vqz", "-o", tmp_path / "out.bmp").output
    assert "without its colour profile, which this format cannot hold" in said


def test_folders_keep_their_tree_there_and_back(vqvae, tree, tmp_path):
    vqvae("encode", tree, "-o", tmp_path / "small")
    assert files(tmp_path / "small") == ["a.vqz", "deep/er/b.vqz"]
    vqvae("decode", tmp_path / "small", "-o", tmp_path / "back", "--format", "webp")
    assert files(tmp_path / "back") == ["a.webp", "deep/er/b.webp"]
    assert Image.open(tmp_path / "back" / "deep" / "er" / "b.webp").size == (53, 20)


def test_the_suffix_of_the_output_chooses_the_image_type(vqvae, photo_file, tmp_path):
    vqvae("encode", photo_file, "-o", tmp_path / "x.vqz")
    vqvae("decode", tmp_path / "x.vqz", "-o", tmp_path / "back.bmp")
    assert Image.open(tmp_path / "back.bmp").format == "BMP"


@pytest.mark.parametrize("format", ["png/x", "../png", "", "p/g"])
def test_a_format_is_a_type(vqvae, photo_file, format):
    vqvae("encode", photo_file)
    said = vqvae("decode", photo_file.with_suffix(".vqz"), "--format", format, code=2).output
    assert "must be a type such as png or webp" in said


def test_existing_outputs_are_kept_unless_forced(vqvae, photo_file):
    target = photo_file.with_suffix(".vqz")
    target.write_text("precious")
    assert "exists, kept" in vqvae("encode", photo_file).output
    assert target.read_text() == "precious"
    vqvae("encode", photo_file, "--force")
    assert target.read_bytes().startswith(b"VQ")


def test_an_input_is_never_replaced_by_its_own_output(vqvae, photo_file):
    before = photo_file.read_bytes()
    assert "its own output" in vqvae("encode", photo_file, "-o", photo_file, "--force", code=1).output
    assert photo_file.read_bytes() == before


def test_two_inputs_for_one_output_are_not_written_over_each_other(vqvae, photo, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(photo).save(tmp_path / folder / "a.png")
    for _ in range(2):  # the second time too, when the output is there already
        result = vqvae("encode", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "small", code=1)
        assert "two/a.png: " in result.output and "is the output of" in result.output


def test_a_file_name_for_several_inputs_is_refused_before_anything_is_written(vqvae, tree):
    before = files(tree)
    result = vqvae("encode", tree, "-o", tree / "one.vqz", code=2)
    assert "name a folder" in result.output and files(tree) == before


def test_an_output_folder_may_have_a_dot_in_its_name(vqvae, tree, tmp_path):
    vqvae("encode", tree, "-o", tmp_path / "small.v1")
    assert files(tmp_path / "small.v1") == ["a.vqz", "deep/er/b.vqz"]


def test_bad_files_are_named_in_one_line_each_and_the_others_still_done(vqvae, tree, tmp_path):
    (tree / "broken.png").write_bytes(b"\x89PNG nothing")
    Image.new("I;16", (9, 9)).save(tree / "deep.png")
    result = vqvae("encode", tree, tmp_path / "missing.png", "-o", tmp_path / "small", code=1)
    assert len(errors(result)) == 3
    assert "broken.png: damaged, or not an image" in errors(result)[0]
    assert "deep.png: has 16-bit channels" in errors(result)[1]
    assert "missing.png: no such file" in errors(result)[2]
    assert "2 written, 0 kept, 3 failed" in result.output
    assert files(tmp_path / "small") == ["a.vqz", "deep/er/b.vqz"]


def test_however_many_are_read_and_written_at_once_the_same_is_said_and_written(vqvae, tree, tmp_path):
    (tree / "broken.png").write_bytes(b"\x89PNG nothing")
    for number in range(5):
        Image.effect_noise((40, 30), 10 * number).save(tree / f"{number}.png")
    (tmp_path / "back" / "3.png").mkdir(parents=True)
    results = []
    for workers in (0, 1, 2, 20):
        encoded = vqvae("encode", tree, "-o", tmp_path / "small", "--workers", workers, "--force", code=1)
        decoded = vqvae("decode", tmp_path / "small", "-o", tmp_path / "back", "--workers", workers, "--force", code=1)
        written = [(tmp_path / name).read_bytes() for name in files(tmp_path) if not name.startswith("photos")]
        results.append((encoded.output, decoded.output, written))
    assert len(errors(encoded)) == len(errors(decoded)) == 1 and "3.png: Is a directory" in errors(decoded)[0]
    assert len(written) == 7 + 6 and all(result == results[0] for result in results)


def test_a_file_named_twice_is_done_once(vqvae, tree):
    output = vqvae("encode", tree, tree / "a.png", tree / "a.png").output
    assert output.count("a.png →") == 1 and "2 written, 0 kept, 0 failed" in output


def damaged(good: bytes) -> dict[str, tuple[bytes, str]]:
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    return {
        "cut": (good[:-9], "truncated or corrupt"),
        "empty": (b"", "not a .vqz file"),
        "flipped": (bytes(flipped), "truncated or corrupt"),
        "foreign": (b"GIF89a...........", "not a .vqz file"),
        "future": (good[:2] + b"\x70" + good[3:], "version 7"),
    }


def test_damaged_files_say_which_kind_and_leave_nothing_behind(vqvae, photo_file, tmp_path):
    vqvae("encode", photo_file)
    good = photo_file.with_suffix(".vqz").read_bytes()
    folder = tmp_path / "files"
    folder.mkdir()
    for name, (data, _) in damaged(good).items():
        (folder / f"{name}.vqz").write_bytes(data)
    (folder / "good.vqz").write_bytes(good)
    result = vqvae("decode", folder, "-o", tmp_path / "back", code=1)
    for name, (_, reason) in damaged(good).items():
        line = next(line for line in result.output.splitlines() if f"{name}.vqz" in line)
        assert line.startswith("error: ") and reason in line
    assert files(tmp_path / "back") == ["good.png"]


def test_a_file_of_an_unknown_model_says_what_is_missing(vqvae, photo_file, tiny_model, tmp_path, monkeypatch):
    vqvae("encode", photo_file)
    from vqvae.models import store

    monkeypatch.setattr(store, "FOLDER", tmp_path / "nothing")
    compressed = photo_file.with_suffix(".vqz")
    assert "--model" in vqvae("decode", compressed, "-o", tmp_path / "x.png", code=1).output
    vqvae("decode", compressed, "-o", tmp_path / "x.png", "--model", tiny_model)
    assert (tmp_path / "x.png").exists()


def test_a_model_that_is_not_there_names_those_that_are(vqvae, photo_file):
    result = vqvae("encode", photo_file, "--model", "huge", code=1)
    assert "huge: neither a file nor a bundled model (tiny" in result.output


def test_an_output_that_cannot_be_written_is_one_line(vqvae, photo_file, tmp_path):
    (tmp_path / "blocked").write_text("a file where a folder should be")
    result = vqvae("encode", photo_file, "-o", tmp_path / "blocked" / "x.vqz", code=1)
    assert "error: " in result.output and "blocked" in result.output


def test_eval_measures_the_real_files(vqvae, tree, tmp_path, tiny_codec):
    result = vqvae("eval", tree, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    keys = ["model", "images", "bpp", "payload_bpp", "psnr_mean", "psnr_dataset", "ssim", "encode_s", "decode_s"]
    assert list(report) == ["command", "program", *keys, "per_image", "errors"]
    assert (report["model"], report["images"]) == ("tiny", 2)
    image = read_image(tree / "a.png")
    first = report["per_image"][0]
    assert first["name"].endswith("a.png") and first["bytes"] == len(tiny_codec.compress(image))
    assert first["psnr"] == pytest.approx(psnr(image, reconstruct(tiny_codec, image)))
    assert f"{report['psnr_dataset']:.4f}" in result.output


def test_eval_of_cifar10_reads_the_test_set(vqvae, data_root, tmp_path, monkeypatch, cifar10_test):
    import vqvae.data.cifar10 as module

    monkeypatch.setattr(module, "load_cifar10", lambda root, train: cifar10_test[:5])
    vqvae("eval", "cifar10:test", "--data", data_root, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["images"] == 5 and report["payload_bpp"] == pytest.approx(9 / 16)


@pytest.mark.parametrize("path", ["missing.png", "."])
def test_eval_of_nothing_is_an_error(vqvae, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vqvae("eval", path, code=1)


def test_info_tells_size_and_model_in_words_and_in_json(vqvae, photo_file, tiny_codec):
    vqvae("encode", photo_file)
    compressed = photo_file.with_suffix(".vqz")
    facts = json.loads(vqvae("info", compressed, "--json", "-").output)
    assert (facts["width"], facts["height"], facts["model"]) == (53, 37, "tiny")
    assert facts["bytes"] == compressed.stat().st_size == facts["payload_bytes"] + 12
    assert facts["model_id"] == tiny_codec.model_id.weights.hex()[:6]
    assert "width: 53" in vqvae("info", compressed).output


def test_info_of_a_damaged_file_is_an_error_with_its_name(vqvae, photo_file):
    result = vqvae("info", photo_file, code=1)
    assert "photo.png: not a .vqz file" in result.output


def test_models_lists_the_shipped_ones_with_their_figures(vqvae, tiny_codec):
    output = vqvae("models").output
    assert output.split("\n")[0].endswith("kMAC/pixel     size      id")
    assert "tiny" in output and "ResidualVQ 3×8" in output and tiny_codec.model_id.whole.hex()[:6] in output
    assert "0.5 + 0.5" in output  # kMAC/pixel: 538 and 514 by hand


def test_an_unknown_device_is_one_line(vqvae, photo_file):
    result = vqvae("encode", photo_file, "--device", "abacus", code=1)
    assert "--device abacus" in result.output and result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"), [(["info", "missing.vqz"], 1), (["decode", "a.vqz", "b.vqz", "-o", "one.png"], 2)]
)
def test_main_turns_an_error_into_one_line_and_an_exit_code(arguments, code, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["vqvae", *arguments])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


def test_wrong_usage_is_exit_code_2(vqvae):
    vqvae("encode", code=2)
    vqvae("encode", "--no-such-option", code=2)


def test_a_tree_encoded_twice_gives_the_same_bytes(vqvae, tree, tmp_path):
    for name in ("one", "two"):
        vqvae("encode", tree, "-o", tmp_path / name)
    one, two = ((tmp_path / name / "deep" / "er" / "b.vqz").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_copied_model_file_decodes_the_same(vqvae, photo_file, tiny_model, tmp_path, tiny_codec):
    copy = Path(shutil.copy(tiny_model, tmp_path / "copy.safetensors"))
    image = read_image(photo_file)
    assert np.array_equal(load_codec(copy).decompress(tiny_codec.compress(image)), reconstruct(tiny_codec, image))
