"""Other codecs against files that Pillow writes by itself, and the curves of all against scikit-image."""

import sys

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from skimage.metrics import peak_signal_noise_ratio

from vqvae.errors import ImageError, MissingPackageError, UsageError
from vqvae.evaluation.rd_curves import curves_of, measure
from vqvae.evaluation.reference_codecs import PILLOW_CODERS, Coder, ModelCoder, pillow_coders

OPTIONS = {"jpeg": {"optimize": True, "subsampling": "4:2:0"}, "webp": {"method": 6}, "avif": {}}


class Coarse(Coder):
    """Loses the lowest three bits; takes a byte at quality 1 and two at quality 2."""

    name = "coarse"
    qualities = (1, 2)

    def encode(self, image, quality):
        self.image = image
        return bytes(quality)

    def decode(self, data):
        return self.image // 8 * 8


@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_and_its_image_are_those_of_pillow(name, photo, tmp_path):
    coder, path = PILLOW_CODERS[name], tmp_path / f"photo.{name}"
    Image.fromarray(photo).save(path, quality=30, **OPTIONS[name])
    data = coder.encode(photo, 30)
    assert data == path.read_bytes()
    with Image.open(path) as image:
        assert np.array_equal(coder.decode(data), np.asarray(image.convert("RGB")))
        assert name != "jpeg" or JpegImagePlugin.get_sampling(image) == 2  # 4:2:0


@pytest.mark.parametrize("name", OPTIONS)
def test_files_grow_with_quality(name, photo):
    coder = PILLOW_CODERS[name]
    sizes = [len(coder.encode(np.tile(photo, (3, 3, 1)), quality)) for quality in coder.qualities]
    assert sizes == sorted(sizes) and sizes[-1] > 2 * sizes[0]


def test_names_are_taken_in_order_and_once():
    assert [coder.name for coder in pillow_coders(["webp", "jpeg", "webp"])] == ["webp", "jpeg"]


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"no codec 'gif'.*jpeg, webp, avif"):
        pillow_coders(["jpeg", "gif"])


def test_a_format_that_this_pillow_lacks_is_one_line(monkeypatch):
    monkeypatch.delitem(Image.SAVE, "AVIF")
    with pytest.raises(MissingPackageError, match=r"^avif: this Pillow cannot write it: .*$"):
        pillow_coders(["jpeg", "avif"])
    assert pillow_coders(["jpeg"])


def test_a_plugin_that_is_missing_is_one_line_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(MissingPackageError, match=r"^jxl needs pillow-jxl-plugin: pip install 'vqkit\[jxl\]'"):
        pillow_coders(["jxl"])


def test_the_variants_of_avif_differ_from_it_in_chroma_and_speed(photo):
    image = np.tile(photo, (3, 3, 1))
    coders = [PILLOW_CODERS[name] for name in ("avif", "avif-444", "avif-slow")]
    chroma = [
        image - image.mean(2, keepdims=True) for image in (image, *(c.decode(c.encode(image, 80)) for c in coders))
    ]
    half, full, slow = (np.square(decoded - chroma[0]).mean() for decoded in chroma[1:])
    assert full < 0.8 * half and slow < 0.8 * half
    assert coders[1].encode(image, 80) != coders[2].encode(image, 80)


def test_what_a_format_cannot_hold_is_an_image_error():
    with pytest.raises(ImageError, match="webp cannot hold it"):
        PILLOW_CODERS["webp"].encode(np.zeros((1, 16400, 3), np.uint8), 50)


def test_a_curve_has_the_rate_and_psnr_of_all_images_at_each_quality(photo):
    images = [photo, photo[:10]]
    (curve,) = curves_of([Coarse()], [measure([Coarse()], image) for image in images])
    assert curve.name == "coarse" and [point["quality"] for point in curve.points] == [1, 2]
    pixels = 53 * 37 + 53 * 10
    psnr = [peak_signal_noise_ratio(image, image // 8 * 8, data_range=255) for image in images]
    errors = [np.square(image % 8.0).sum() for image in images]
    for point in curve.points:
        assert point["bpp"] == pytest.approx(8 * 2 * point["quality"] / pixels)
        assert point["psnr_mean"] == pytest.approx(np.mean(psnr))
        assert point["psnr_dataset"] == pytest.approx(10 * np.log10(255**2 / (sum(errors) / (3 * pixels))))
        assert point["ms_ssim"] is None and point["ssim"] > 0.9
        assert point["encode_s"] > 0 and point["decode_s"] > 0


def test_each_coder_gets_its_own_points(tiny_codec, photo):
    coders = [ModelCoder("tiny", tiny_codec), *pillow_coders(["jpeg"]), Coarse()]
    ours, jpeg, coarse = curves_of(coders, [measure(coders, photo)])
    assert [point["quality"] for point in ours.points] == [None]
    assert ours.points[0]["bpp"] == pytest.approx(8 * len(tiny_codec.compress(photo)) / (53 * 37))
    sizes = [len(PILLOW_CODERS["jpeg"].encode(photo, quality)) for quality in PILLOW_CODERS["jpeg"].qualities]
    assert [point["bpp"] for point in jpeg.points] == pytest.approx([8 * size / (53 * 37) for size in sizes])
    assert [point["bpp"] for point in coarse.points] == pytest.approx([8 / (53 * 37), 16 / (53 * 37)])
