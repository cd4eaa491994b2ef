"""The bundled models, on real images."""

import pickle
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import normalize, to_pixels
from vqvae.evaluation import evaluate_image, psnr
from vqvae.formats.vqa.reader import Archive, Header
from vqvae.media.images import read_image
from vqvae.models.file import load_codec, read_id, read_model
from vqvae.models.store import PHOTOGRAPHS, SMALL_IMAGES, ModelStore, bundled_models, find_model

LEAST_PSNR = {
    "cifar10-avq-16": 27.9,
    "cifar10-pvq-16": 27.3,
    "cifar10-rvq-16": 28.0,
}  # dB, first images of the test set
IMAGES = 1000
EARLIER_IDS = {
    "cifar10-avq-16": ["f9f69b1dd710d509"],
    "cifar10-pvq-16": ["440e42543b4830e5"],
    "cifar10-rvq-16": ["47ab9dd38b69e0c0"],
    "photo": ["10e50546ef0e763b"],
}


@pytest.fixture(params=sorted(bundled_models()))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=sorted(LEAST_PSNR))
def cifar10_model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=["kodim05", "kodim20"])
def photograph(request: pytest.FixtureRequest, data_root: Path) -> np.ndarray:
    return read_image(data_root / "kodak" / f"{request.param}.png")


@pytest.fixture(scope="module")
def photo_codec() -> ImageCodec:
    return load_codec(find_model(PHOTOGRAPHS))


def psnr_dataset(codec: ImageCodec, images: torch.Tensor) -> float:
    error = 0.0
    with torch.inference_mode():
        for batch in images.split(100):
            decoded = to_pixels(codec.autoencoder(normalize(batch)).images)
            error += float((decoded.float() - batch.float()).square().sum())
    return float(10 * torch.log10(torch.tensor(255**2 * images.numel() / error)))


def jpeg(image: np.ndarray, most_bytes: int) -> np.ndarray:
    """The image as the best JPEG file of so many bytes gives it."""
    for quality in range(95, 0, -1):
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= most_bytes:
            return np.asarray(Image.open(file))
    raise AssertionError(f"no JPEG file has {most_bytes} bytes or fewer")


def test_every_bundled_model_has_a_quality_to_keep():
    assert {*LEAST_PSNR, PHOTOGRAPHS} == set(bundled_models()) and SMALL_IMAGES in LEAST_PSNR


@pytest.mark.slow
def test_a_bundled_model_keeps_its_quality_on_real_images(cifar10_model, cifar10_test):
    assert psnr_dataset(load_codec(find_model(cifar10_model)), cifar10_test[:IMAGES]) > LEAST_PSNR[cifar10_model]


def test_sixteen_bits_a_vector_are_one_bit_a_pixel(cifar10_model):
    autoencoder = load_codec(find_model(cifar10_model)).autoencoder
    assert (autoencoder.quantizer.bits_per_vector, autoencoder.bits_per_pixel) == (16, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("quality", [20.0, 50.0, 80.0])
def test_a_photograph_is_nearer_to_itself_than_a_jpeg_file_of_the_same_size_shows_it(photo_codec, photograph, quality):
    data = photo_codec.compress(photograph, quality=quality)
    theirs = psnr(photograph, jpeg(photograph, len(data)))
    assert psnr(photograph, photo_codec.decompress(data)) > theirs + 1


@pytest.mark.slow
def test_the_photo_model_serves_low_rates_and_high_ones(photo_codec, photograph):
    least, most = (
        8 * len(photo_codec.compress(photograph, quality=end)) / photograph[..., 0].size for end in (0.0, 100.0)
    )
    assert least < 0.13 and most > 9 * least


@pytest.mark.slow
def test_no_seam_shows_where_a_photograph_was_cut_into_tiles(photo_codec, photograph, monkeypatch):
    height, width, _ = photograph.shape
    indices = photo_codec.indices(photograph[None])
    whole = photo_codec.transform.synthesis(indices, height, width).astype(int)
    monkeypatch.setattr(photo_codec.transform, "tile", 200)
    assert np.mean(photo_codec.indices(photograph[None]) != indices) < 1e-3  # a tie may be rounded the other way
    assert np.abs(photo_codec.transform.synthesis(indices, height, width) - whole).max() <= 1


@pytest.mark.slow
def test_a_photograph_it_never_saw_comes_back_recognisably(name, data_root):
    image = read_image(data_root / "kodak" / "kodim23.png")[:255, :333]
    measured = evaluate_image(load_codec(find_model(name)), "kodim23", image)
    assert measured.figures()["psnr"] > 26


def test_a_bundled_model_is_small_and_found_by_its_id(name):
    path = find_model(name)
    assert path.stat().st_size < (8e6 if name == PHOTOGRAPHS else 4e6)
    assert ModelStore().paths[load_codec(path).model_id] == path


def test_a_bundled_model_keeps_the_id_that_files_of_earlier_versions_name_it_by(name):
    assert [whole.hex()[:16] for whole, _ in read_id(find_model(name)).aliases] == EARLIER_IDS[name]


def test_files_and_archives_of_earlier_versions_find_the_bundled_model(name, tmp_path):
    store, (whole, weights) = ModelStore(), read_id(find_model(name)).aliases[0]
    for code, model_id in ((0, weights), (2, whole)):
        body = b"VQ" + bytes([0x20 | code, 32, 32]) + model_id[:3] + b"payload"
        codec, _ = store.unpack(body + zlib.crc32(body).to_bytes(4, "big"))
        assert store.paths[codec.model_id] == find_model(name)
    (tmp_path / "old.vqa").write_bytes(Header(whole[:8], named=True).pack())
    assert store.for_archive(Archive(tmp_path / "old.vqa")).model_id == codec.model_id


def test_a_store_can_be_pickled_and_loads_its_models_again(name):
    store, path = ModelStore(), find_model(name)
    codec = store.codec(path)
    assert store.codec(path) is codec
    assert len(pickle.dumps(store)) < 10_000
    assert pickle.loads(pickle.dumps(store)).codec(path).model_id == codec.model_id


def test_what_a_bundled_model_tells_of_its_training_names_no_folder(name):
    assert "/" not in str(read_model(find_model(name)).about)
