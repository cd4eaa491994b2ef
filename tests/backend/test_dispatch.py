"""Small images are coded without what is compiled, as it takes longer to load; the files are the same."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import smooth_pictures
from vqvae.backend.dispatch import (
    MIN_VECTORS_FOR_NUMBA,
    Backend,
    Compiled,
    CompiledLater,
    Plain,
    prefers_plain,
)
from vqvae.entropy.context.plain_network import PlainNetwork
from vqvae.models.file import load_codec
from vqvae.models.store import bundled_models, find_model
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


@pytest.mark.slow
@pytest.mark.parametrize(("side", "said"), [(48, "without"), (512, "with")])
def test_numba_is_loaded_for_large_images_alone(side, said, tmp_path):
    Image.fromarray(smooth_noise(side, side)).save(tmp_path / "image.png")
    for command in (["encode", tmp_path / "image.png"], ["decode", tmp_path / "image.vqz", "--force"]):
        run = subprocess.run([sys.executable, "-c", LOADED, *command], capture_output=True, text=True)
        assert run.stdout == f"{said} Numba\n", run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(bundled_models()))
def test_compiled_and_plain_code_write_the_same_files(model):
    codec = load_codec(find_model(model))
    pictures = smooth_pictures(6, 48).permute(0, 2, 3, 1).numpy()
    qualities = (10.0, 50.0, 90.0) if codec.variable_rate else (None,)
    for quality in qualities:
        codec.backend = Compiled()
        compiled = [codec.compress(picture, quality=quality) for picture in pictures]
        pixels = [codec.decompress(file) for file in compiled]
        codec.backend = Plain()
        with codec.backend.coding(1):
            assert isinstance(codec.entropy_model.network, PlainNetwork)
        assert [codec.compress(picture, quality=quality) for picture in pictures] == compiled
        assert all(np.array_equal(codec.decompress(file), one) for file, one in zip(compiled, pixels, strict=True))


def test_the_choice_holds_within_the_call_of_a_codec(tiny_codec, photo):
    used = []

    class Recorded(Backend):
        def use_compiled(self, vectors: int) -> bool:
            used.append(vectors)
            return False

    tiny_codec.backend = Recorded()
    quantizer = tiny_codec.autoencoder.quantizer
    data = tiny_codec.compress(photo)
    tiny_codec.decompress(data)
    assert used == [10 * 14] * 2
    with Plain().coding(1):
        assert dispatch.kernels_for(quantizer.codebooks) is None
        with Compiled().coding(1):
            assert dispatch.kernels_for(quantizer.codebooks) is not None
        assert prefers_plain()
    assert not prefers_plain()


def test_numba_is_not_used_before_it_is_worth_its_import():
    later = CompiledLater(100)
    assert [later.use_compiled(vectors) for vectors in (60, 39, 1, 1)] == [False, False, True, True]
    assert MIN_VECTORS_FOR_NUMBA > 1 and not CompiledLater().use_compiled(1)
