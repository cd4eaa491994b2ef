"""Small images are coded without what is compiled, as it takes longer to load; the files are the same."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vqvae.backend.cold_start import ENOUGH, cold_start, expect, is_cold
from vqvae.entropy.context.network import PlainNetwork
from vqvae.models.file import load_codec
from vqvae.models.store import find_model, shipped_models
from vqvae.quantizers import dispatch

LOADED = """
import sys
from vqvae.cli.main import app

assert app(sys.argv[1:], standalone_mode=False) == 0
print("with" if "numba" in sys.modules else "without", "Numba")
"""


def smooth_noise(height: int, width: int) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(256, size=(height // 4, width // 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("side", "said"), [(48, "without"), (512, "with")])
def test_numba_is_loaded_for_large_images_alone(side, said, tmp_path):
    Image.fromarray(smooth_noise(side, side)).save(tmp_path / "image.png")
    for command in (["encode", tmp_path / "image.png"], ["decode", tmp_path / "image.vqz", "--force"]):
        run = subprocess.run([sys.executable, "-c", LOADED, *command], capture_output=True, text=True)
        assert run.stdout == f"{said} Numba\n", run.stderr


@pytest.mark.parametrize("model", sorted(shipped_models()))
def test_the_files_are_the_same(model):
    codec, image = load_codec(find_model(model)), smooth_noise(48, 64)
    file = codec.compress(image)
    pixels = codec.decompress(file)
    with cold_start():
        assert dispatch.kernels_for(codec.autoencoder.quantizer.codebooks) is None
        assert isinstance(codec.entropy_model.network, PlainNetwork)
        assert codec.compress(image) == file
        assert np.array_equal(codec.decompress(file), pixels)


def test_it_ends_when_there_is_enough_to_do_or_with_its_program():
    assert not is_cold()
    with cold_start():
        expect(ENOUGH - 1)
        assert is_cold()
        expect(1)
        assert not is_cold()
    with cold_start():
        assert is_cold()
    assert not is_cold()
