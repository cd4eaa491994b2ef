"""`eval --against`: what is printed, written and refused."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import errors
from vqvae.cli.compare_codecs import report_of
from vqvae.evaluation.crops import CAPTION, GAP, SIDE
from vqvae.evaluation.plot import draw_curves
from vqvae.evaluation.rd_curves import Curve
from vqvae.evaluation.reference_codecs import PILLOW_CODERS
from vqvae.media.images import read_image

FIGURES = {"quality", "bpp", "psnr_mean", "psnr_dataset", "ssim", "ms_ssim", "encode_s", "decode_s"}


def curve(name: str, factor: float) -> Curve:
    points = [{"bpp": factor * bpp, "psnr_mean": 30 + 10 * bpp, "ms_ssim": None} for bpp in np.linspace(0.2, 0.8, 9)]
    return Curve(name, points)


def test_all_codecs_are_measured_on_the_same_images(vqvae, tree, tmp_path):
    written = {option: tmp_path / name for option, name in (("json", "r.json"), ("plot", "rd.svg"), ("crops", "c.png"))}
    outputs = [part for option, path in written.items() for part in (f"--{option}", path)]
    said = vqvae("eval", tree, "--against", "webp,jpeg,avif", *outputs).output
    report = json.loads(written["json"].read_text())
    assert (report["model"], report["images"], report["anchor"]) == ("tiny", 2, "jpeg")
    assert [codec["name"] for codec in report["codecs"]] == ["tiny", "webp", "jpeg", "avif"]
    assert all(set(point) == FIGURES for codec in report["codecs"] for point in codec["points"])
    for codec in report["codecs"][1:]:
        assert [point["quality"] for point in codec["points"]] == list(PILLOW_CODERS[codec["name"]].qualities)

    images = [read_image(tree / name) for name in ("a.png", "deep/er/b.jpg")]
    jpeg = report["codecs"][2]["points"][3]
    sizes = [len(PILLOW_CODERS["jpeg"].encode(image, jpeg["quality"])) for image in images]
    assert jpeg["bpp"] == pytest.approx(8 * sum(sizes) / (53 * 37 + 53 * 20))
    assert re.search(rf"jpeg +15 +{jpeg['bpp']:.4f} +{jpeg['psnr_mean']:.4f}", said)
    assert re.search(r"tiny +- +- +- +the anchor has 0 of the 4 points needed", said)  # small images take more bits
    assert "<svg" in written["plot"].read_text()
    height, width, _ = read_image(written["crops"]).shape
    assert height == GAP + 2 * (SIDE + CAPTION + GAP) and width == GAP + 5 * (SIDE + GAP)


def test_without_it_nothing_changes(vqvae, tree, tmp_path):
    vqvae("eval", tree, "--json", tmp_path / "report.json")
    assert "codecs" not in json.loads((tmp_path / "report.json").read_text())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--against", "jpeg,gif"), 2, "no codec 'gif'.*jpeg, webp, avif"),
        (("--against", ""), 2, "no codec ''"),
        (("--against", "jpeg", "--plot", "rd.txt"), 2, "rd.txt: .*.png or .svg"),
        (("--against", "jpeg", "--crops", "crops.txt"), 1, "crops.txt: cannot write"),
        (("--plot", "rd.png"), 2, "name codecs with --against"),
        (("--crops", "crops.png"), 2, "name codecs with --against"),
    ],
)
def test_what_makes_no_sense_is_one_line_before_any_work(vqvae, tree, options, code, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    error = vqvae("eval", "missing", *options, code=code).output
    assert re.search(message, error) and error.count("\n") == 1


@pytest.mark.parametrize(("package", "module"), [("bjontegaard", "bd_rate"), ("matplotlib.figure", "plot")])
def test_without_a_package_one_line_says_what_to_install(vqvae, tree, package, module, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for importing in ("vqvae.cli.compare_codecs", f"vqvae.evaluation.{module}"):
        monkeypatch.delitem(sys.modules, importing)
    error = vqvae("eval", tree, "--against", "jpeg", code=1).output
    assert error == f"error: {package.split('.')[0]} is not installed: pip install 'vqkit[plot]'\n"


def test_an_image_that_a_codec_cannot_hold_is_named_and_the_others_are_measured(vqvae, tree, tmp_path):
    Image.new("RGB", (16400, 1)).save(tree / "long.png")
    (tree / "broken.png").write_bytes(b"nothing")
    result = vqvae("eval", tree, "--against", "webp", "--json", tmp_path / "report.json", code=1)
    assert any("broken.png" in line for line in errors(result))
    assert any("long.png: webp cannot hold it" in line for line in errors(result))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["images"] == 2 and report["anchor"] == "webp"


def test_the_anchor_is_jpeg_or_else_the_first_that_was_named():
    ours, webp, jpeg = curve("jpeg", 0.7), curve("webp", 0.8), curve("jpeg", 1.0)  # our model has an odd name
    rates = [codec["bd_rate"] for codec in report_of("m", 1, [ours, webp, jpeg])["codecs"]]
    assert rates == pytest.approx([-30, -20, 0])
    rates = [codec["bd_rate"] for codec in report_of("m", 1, [ours, webp])["codecs"]]
    assert rates == pytest.approx([-12.5, 0])


def test_the_figure_has_a_panel_for_each_measure_that_is_known():
    codecs = report_of("m", 1, [curve("ours", 0.5), curve("jpeg", 1.0)])["codecs"]
    (axis,) = draw_curves(codecs).axes
    assert [line.get_label() for line in axis.lines] == ["ours, BD-rate -50.0 %", "jpeg"]
    assert axis.lines[1].get_xdata() == pytest.approx(np.linspace(0.2, 0.8, 9))
    for codec in codecs:
        codec["points"] = [{**point, "ms_ssim": 0.99} for point in codec["points"]]
    _, axis = draw_curves(codecs).axes
    assert axis.lines[0].get_ydata() == pytest.approx(np.full(9, 20.0))  # dB: a hundredth is missing
