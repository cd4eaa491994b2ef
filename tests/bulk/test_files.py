"""The pipeline as a library: files, pictures and models without a command line."""

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vqvae
from tests.profiles import DISPLAY_P3
from vqvae.bulk.pipeline import Pipeline
from vqvae.bulk.plan import Job
from vqvae.bulk.tasks import CompressFiles, DecompressFiles
from vqvae.errors import ImageError, ModelFileError, UsageError
from vqvae.media.images import read_image


@pytest.fixture
def store(tiny_model: Path) -> vqvae.ModelStore:
    return vqvae.ModelStore(tiny_model)


def test_load_takes_a_name_or_a_path(tiny_model, tiny_codec, photo):
    data = vqvae.load(tiny_model).compress(photo)
    assert data == vqvae.load(str(tiny_model)).compress(photo) == tiny_codec.compress(photo)
    assert vqvae.load("cifar10-rvq-16").decompress(vqvae.load("cifar10-rvq-16").compress(photo)).shape == photo.shape
    with pytest.raises(ModelFileError, match=r"huge: neither a file nor a bundled model"):
        vqvae.load("huge")


def test_a_file_goes_there_and_back_and_its_results_say_what_was_done(store, photo_file, tiny_codec, tmp_path):
    small, back = tmp_path / "new" / "small.vqz", tmp_path / "back.png"
    result = vqvae.compress_file(photo_file, small, model=store)
    assert (result.source, result.target, result.kept) == (photo_file, small, False)
    assert (result.width, result.height, result.bytes) == (53, 37, small.stat().st_size)
    result = vqvae.decompress_file(str(small), str(back), model=store)
    assert (result.width, result.height, result.bytes) == (53, 37, small.stat().st_size)
    assert np.array_equal(read_image(back), tiny_codec.decompress(tiny_codec.compress(read_image(photo_file))))


def test_a_target_that_exists_is_kept_unless_it_may_be_overwritten(store, photo_file, tmp_path):
    small = tmp_path / "small.vqz"
    small.write_text("precious")
    assert vqvae.compress_file(photo_file, small, model=store).kept and small.read_text() == "precious"
    assert not vqvae.compress_file(photo_file, small, model=store, overwrite=True).kept
    assert small.read_bytes().startswith(b"VQ")


def test_errors_are_raised_as_they_are(store, photo_file, tmp_path):
    with pytest.raises(ImageError, match=r"missing\.png: no such file"):
        vqvae.compress_file(tmp_path / "missing.png", tmp_path / "x.vqz", model=store)
    with pytest.raises(UsageError, match="one rate"):
        vqvae.compress_file(photo_file, tmp_path / "x.vqz", model=store, quality=30.0)
    with pytest.raises(ImageError, match="cannot write images of type"):
        vqvae.decompress_file(photo_file, tmp_path / "x.txt", model=store)


def test_a_picture_keeps_what_belongs_to_it(store, photo):
    picture = vqvae.Picture(photo, alpha=photo[..., 0], profile=DISPLAY_P3)
    data = vqvae.compress_picture(store.for_image(photo), picture)
    back = vqvae.decompress_picture(data, store)
    assert np.array_equal(back.alpha, photo[..., 0]) and back.profile == DISPLAY_P3
    assert np.array_equal(back.pixels, store.for_image(photo).decompress(data))


def test_a_store_finds_the_bundled_model_that_made_a_file(photo, tmp_path):
    data = vqvae.load("cifar10-pvq-16").compress(photo)
    codec, container = vqvae.ModelStore().unpack(data)
    assert (container.height, container.width) == photo.shape[:2]
    assert codec.model_id == vqvae.load("cifar10-pvq-16").model_id


def test_tasks_and_stores_are_pickled_without_their_codecs(store, photo_file, tmp_path):
    store.preload()
    task = CompressFiles(store, True)
    packed = pickle.dumps(task)
    assert len(packed) < 2000
    job = Job(photo_file, tmp_path / "x.vqz")
    assert pickle.loads(packed)(job) == task(job)


@pytest.mark.slow
def test_processes_share_the_work(store, photo, tmp_path):
    jobs = []
    for number in range(4):
        Image.fromarray(np.roll(photo, number)).save(tmp_path / f"{number}.png")
        jobs.append(Job(tmp_path / f"{number}.png", tmp_path / f"{number}.vqz"))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = list(pool.map(CompressFiles(store), jobs))
    assert [result.target for result in results] == [job.target for job in jobs]
    assert [outcome.result.kept for outcome in Pipeline(CompressFiles(store), 1).run(jobs)] == [True] * 4


def test_decoded_pixels_depend_on_the_order_of_files_alone(store, cifar10_test, tmp_path, monkeypatch):
    """However fast files are read, and however many are read ahead."""
    jobs = []
    for number, image in enumerate(cifar10_test[:20].permute(0, 2, 3, 1).numpy()):
        (tmp_path / f"{number}.vqz").write_bytes(store.for_image(image).compress(image))
        jobs.append(Job(tmp_path / f"{number}.vqz", tmp_path / f"{number}.png"))
    codec = store.for_image(cifar10_test[:1].permute(0, 2, 3, 1).numpy()[0])
    batches: list[int] = []
    really = codec.decompress_batch
    monkeypatch.setattr(
        codec, "decompress_batch", lambda coded, *size: batches.append(len(coded)) or really(coded, *size)
    )
    decoded = []
    for workers in (0, 1, 7):
        for outcome in Pipeline(DecompressFiles(store, True), workers).run(jobs):
            assert outcome.error is None
        decoded.append([job.target.read_bytes() for job in jobs])
    assert decoded[0] == decoded[1] == decoded[2] and batches == [20] * 3


def test_importing_the_package_is_light_and_its_names_come_when_they_are_asked_for():
    code = """
import sys, vqvae
assert {"load", "compress_file", "ModelStore"} <= set(dir(vqvae))
print("torch" in sys.modules, "PIL" in sys.modules, "numpy" in sys.modules)
vqvae.load
print("torch" in sys.modules, "pytorch_lightning" in sys.modules)
try:
    vqvae.nothing
except AttributeError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False False False\nTrue False\nmodule 'vqvae' has no attribute 'nothing'\n"
