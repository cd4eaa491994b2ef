"""Archives on the command line."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import errors, files
from tests.conftest import REPOSITORY, reconstruct
from tests.profiles import DISPLAY_P3
from vqvae.formats import ModelId
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqa.writer import append
from vqvae.media.images import read_image


@pytest.fixture
def archive(vqvae, tree: Path, tmp_path: Path) -> Path:
    """The images of `tree`: a.png and deep/er/b.jpg."""
    path = tmp_path / "small" / "images.vqa"
    vqvae("encode", tree, "--archive", path)
    return path


def test_a_folder_goes_into_an_archive_and_comes_back_with_its_tree(vqvae, tree, archive, tiny_codec):
    assert Archive(archive).names == ["a.png", "deep/er/b.jpg"]
    vqvae("decode", archive)
    assert files(archive.with_suffix("")) == ["a.png", "deep/er/b.png"]
    for original, decoded in [("a.png", "a.png"), ("deep/er/b.jpg", "deep/er/b.png")]:
        expected = reconstruct(tiny_codec, read_image(tree / original))
        assert np.array_equal(read_image(archive.with_suffix("") / decoded), expected)


def test_images_are_added_and_those_there_are_kept(vqvae, tree, photo, archive):
    before = archive.read_bytes()
    Image.fromarray(photo).save(tree / "0.png")
    output = vqvae("encode", tree, "--archive", archive).output
    assert "a.png: exists, kept" in output and "1 added, 2 kept, 0 failed" in output
    assert Archive(archive).names == ["a.png", "deep/er/b.jpg", "0.png"]
    assert archive.read_bytes().startswith(before)


def test_only_the_images_named_are_decoded(vqvae, archive, tmp_path):
    vqvae("decode", archive, "--only", "deep/er/b.jpg", "-o", tmp_path / "back", "--format", "webp")
    assert files(tmp_path / "back") == ["deep/er/b.webp"]


def test_a_name_that_is_not_there_is_one_line_and_the_others_are_decoded(vqvae, archive, tmp_path):
    result = vqvae("decode", archive, "--only", "nothing", "--only", "a.png", "-o", tmp_path / "back", code=1)
    assert "error: " in result.output and "no image 'nothing': `vqvae info" in result.output
    assert files(tmp_path / "back") == ["a.png"]


def test_existing_outputs_are_kept_unless_forced(vqvae, archive, tmp_path):
    (tmp_path / "a.png").write_text("precious")
    assert "1 written, 1 kept" in vqvae("decode", archive, "-o", tmp_path).output
    assert (tmp_path / "a.png").read_text() == "precious"
    vqvae("decode", archive, "-o", tmp_path, "--force")
    assert read_image(tmp_path / "a.png").shape == (37, 53, 3)


def test_images_that_differ_in_their_suffix_alone_do_not_meet(vqvae, tree, photo, archive, tmp_path):
    Image.fromarray(photo).save(tree / "a.bmp")
    vqvae("encode", tree, "--archive", archive)
    vqvae("decode", archive, "-o", tmp_path / "back")
    assert files(tmp_path / "back") == ["a.bmp.png", "a.png.png", "deep/er/b.png"]


def test_many_small_images_are_encoded_and_decoded_in_batches(vqvae, cifar10_test, tiny_codec, tmp_path, monkeypatch):
    images = cifar10_test[:150].permute(0, 2, 3, 1).numpy()
    (tmp_path / "many").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[: 16 + number // 100]).save(tmp_path / "many" / f"{number:03}.png")
    calls = []
    for name in ("compress_batch", "decompress_batch"):
        really = getattr(type(tiny_codec), name)
        monkeypatch.setattr(
            type(tiny_codec),
            name,
            lambda self, batch, *size, really=really: calls.append(len(batch)) or really(self, batch, *size),
        )
    vqvae("encode", tmp_path / "many", "--archive", tmp_path / "many.vqa")
    vqvae("decode", tmp_path / "many.vqa", "-o", tmp_path / "back")
    assert calls == [64, 36, 50] * 2
    for number in (0, 99, 100, 149):
        expected = reconstruct(tiny_codec, images[number][: 16 + number // 100])
        assert np.array_equal(read_image(tmp_path / "back" / f"{number:03}.png"), expected)


def test_bad_images_are_named_and_the_others_are_added(vqvae, tree, tmp_path):
    (tree / "broken.png").write_bytes(b"\x89PNG nothing")
    (tree / "back\\slash.png").write_bytes((tree / "a.png").read_bytes())
    (tmp_path / "other").mkdir()
    shutil.copy(tree / "a.png", tmp_path / "other")
    result = vqvae("encode", tree, tmp_path / "other", tree / "a.png", "--archive", tmp_path / "x.vqa", code=1)
    assert len(errors(result)) == 3
    assert "cannot name an image" in errors(result)[0]
    assert "broken.png: damaged, or not an image" in errors(result)[1]
    assert "'a.png' is the name of" in errors(result)[2]
    assert "2 added, 0 kept, 3 failed" in result.output
    assert Archive(tmp_path / "x.vqa").names == ["a.png", "deep/er/b.jpg"]


def test_images_are_brought_to_srgb_and_one_whose_profile_is_none_is_named(vqvae, tree, photo, tmp_path):
    Image.fromarray(photo).save(tree / "broken.png", icc_profile=b"nonsense")
    Image.fromarray(photo).save(tree / "wide.png", icc_profile=DISPLAY_P3)
    result = vqvae("encode", tree, "--archive", tmp_path / "x.vqa", code=1)
    assert len(errors(result)) == 1 and "broken.png: its colour profile cannot be used" in errors(result)[0]
    Image.fromarray(read_image(tree / "wide.png")).save(tree / "srgb.png")
    vqvae("encode", tree / "srgb.png", "--archive", tmp_path / "x.vqa")
    found = {entry.name: entry.payload for entry in Archive(tmp_path / "x.vqa")}
    assert found.keys() == {"a.png", "deep/er/b.jpg", "wide.png", "srgb.png"}
    assert found["wide.png"] == found["srgb.png"] != found["a.png"]


def test_without_names_images_are_called_by_their_number_and_none_is_added_later(vqvae, tree, tmp_path):
    path = tmp_path / "x.vqa"
    vqvae("encode", tree, "--archive", path, "--no-names")
    assert "it is unknown which" in vqvae("encode", tree, "--archive", path, "--no-names", code=2).output
    assert "no names" in vqvae("encode", tree, "--archive", path, code=2).output
    vqvae("decode", path, "--only", "00001", "-o", tmp_path / "back")
    assert files(tmp_path / "back") == ["00001.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "{tree}", "--archive", "x.vqa", "-o", "x"],
        ["encode", "{tree}", "--archive", "x.vqa", "--force"],
        ["encode", "{tree}", "--archive", "x.vqa", "--progressive"],
        ["encode", "{tree}", "--no-names"],
        ["decode", "{tree}", "--only", "a.png"],
        ["decode", "{archive}", "{tree}"],
        ["decode", "{archive}", "-o", "x.png"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(tree, archive, tiny_model, arguments, monkeypatch, capsys):
    from vqvae.cli import main

    given = [argument.format(tree=tree, archive=archive) for argument in arguments]
    monkeypatch.setattr("sys.argv", ["vqvae", *given])
    monkeypatch.chdir(tree)
    before = files(tree)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2 and files(tree) == before
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


def test_an_archive_without_a_suffix_needs_a_folder_named(vqvae, archive):
    bare = archive.rename(archive.with_suffix(""))
    assert "name one with -o" in vqvae("decode", bare, code=2).output


def test_an_archive_of_another_model_is_neither_decoded_nor_added_to(vqvae, tree, tmp_path):
    path = tmp_path / "foreign.vqa"
    with append(path, ModelId(bytes(32), bytes(32))) as appender:
        appender.add(Entry("a.png", 53, 37, 0, b"x"))
    before = path.read_bytes()
    for command in (("encode", tree, "--archive", path), ("decode", path)):
        assert "another model" in vqvae(*command, "--model", "tiny", code=1).output
        assert "name its file with --model" in vqvae(*command, code=1).output
    assert path.read_bytes() == before


def test_one_bad_payload_is_one_error_though_images_are_decoded_together(vqvae, tiny_codec, photo, tmp_path):
    (coded,) = tiny_codec.compress_batch(photo[None])
    with append(tmp_path / "x.vqa", tiny_codec.model_id) as appender:
        for number in range(5):
            payload = coded.sections[0][: -1 if number == 2 else None]
            appender.add(Entry(f"{number}.png", 53, 37, coded.entropy_code, payload))
    result = vqvae("decode", tmp_path / "x.vqa", code=1)
    assert result.output.count("error: ") == 1 and "x.vqa/2.png: " in result.output
    assert files(tmp_path / "x") == ["0.png", "1.png", "3.png", "4.png"]


def test_an_image_that_claims_too_many_pixels_is_refused(vqvae, tiny_codec, tmp_path):
    with append(tmp_path / "x.vqa", tiny_codec.model_id) as appender:
        appender.add(Entry("huge.png", 2**27, 2**27, 0, b"x"))
    assert "x.vqa/huge.png: claims 134217728×134217728 pixels" in vqvae("decode", tmp_path / "x.vqa", code=1).output


def test_the_first_stages_alone_can_be_decoded(vqvae, tree, archive, tiny_codec, tmp_path):
    vqvae("decode", archive, "--only", "a.png", "--stages", 1, "-o", tmp_path / "back")
    image = read_image(tree / "a.png")
    expected = tiny_codec.decompress_batch(tiny_codec.compress_batch(image[None]), *image.shape[:2], stages=1)[0]
    assert np.array_equal(read_image(tmp_path / "back" / "a.png"), expected)


def test_info_lists_the_images_in_words_and_in_json(vqvae, archive):
    facts = json.loads(vqvae("info", archive, "--json", "-").output)
    sizes = [(image["name"], image["width"], image["height"]) for image in facts["per_image"]]
    assert sizes == [("a.png", 53, 37), ("deep/er/b.jpg", 53, 20)]
    assert (facts["images"], facts["model"], facts["torn_bytes"]) == (2, "tiny", 0)
    assert facts["bytes"] == archive.stat().st_size
    besides = facts["bytes"] - facts["payload_bytes"] - facts["names_bytes"]
    assert facts["other_bytes_per_image"] == besides / 2
    assert facts["bpp"] == pytest.approx(8 * facts["bytes"] / (53 * 57))
    output = vqvae("info", archive).output
    assert "images: 2" in output and "53×20" in output and "deep/er/b.jpg" in output


def test_info_of_a_damaged_archive_lists_it_and_says_where_it_is_damaged(vqvae, archive):
    data = bytearray(archive.read_bytes())
    data[-1] ^= 1
    archive.write_bytes(data)
    result = vqvae("info", archive, code=1)
    assert "deep/er/b.jpg" in result.output and "images.vqa: block 0: corrupt" in result.output


def test_info_of_an_archive_without_images(vqvae, tree, tmp_path):
    vqvae("encode", tree / "missing.png", "--archive", tmp_path / "x.vqa", code=1)
    assert "images: 0" in vqvae("info", tmp_path / "x.vqa").output


def test_an_unfinished_block_is_reported_and_then_replaced(vqvae, tree, archive, tmp_path):
    whole = archive.read_bytes()
    archive.write_bytes(whole + whole[16:-1])
    assert "last block is incomplete" in vqvae("decode", archive).output
    assert f"torn_bytes: {len(whole) - 17}" in vqvae("info", archive).output
    Image.new("RGB", (8, 8)).save(tree / "new.png")
    vqvae("encode", tree, "--archive", archive)
    assert len(Archive(archive)) == 3 and Archive(archive).torn_bytes == 0


@pytest.mark.slow
def test_killed_while_encoding_and_run_again_every_image_is_there_once(vqvae, tiny_model, tmp_path):
    (tmp_path / "many").mkdir()
    noise = np.random.default_rng(0).integers(256, size=(1500, 16, 16, 3), dtype=np.uint8)
    for number, image in enumerate(noise):
        Image.fromarray(image).save(tmp_path / "many" / f"{number:04}.png")
    path = tmp_path / "many.vqa"
    command = [sys.executable, REPOSITORY / "compress.py", "encode", tmp_path / "many", "--archive", path]
    process = subprocess.Popen([*command, "--model", tiny_model], stderr=subprocess.DEVNULL)
    while process.poll() is None and not (path.exists() and path.stat().st_size > 10_000):
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert 0 < len(Archive(path)) < 1500
    output = vqvae("encode", tmp_path / "many", "--archive", path).output
    assert "exists, kept" in output and "0 failed" in output
    assert sorted(Archive(path).names) == [f"{number:04}.png" for number in range(1500)]
    assert Archive(path).damaged_blocks() == []
