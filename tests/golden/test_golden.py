"""Files written by earlier versions, which every later one must still decode."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae.coding import unpack
from vqvae.errors import BitstreamError
from vqvae.images import read_image
from vqvae.model_file import load_codec

FOLDER = Path(__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.vqz"))


@pytest.fixture(params=FILES)
def stem(request: pytest.FixtureRequest) -> str:
    return request.param


def test_there_are_golden_files_of_every_version_and_quantiser():
    assert {f"v1-{name}" for name in ("vq", "rvq", "pvq", "avq")} <= set(FILES)


def test_the_indices_are_exactly_those_that_were_written(stem):
    codec = load_codec(FOLDER / f"{stem}.safetensors")
    container = unpack((FOLDER / f"{stem}.vqz").read_bytes())
    indices = codec.entropy_model.decode(container.payload, 6, 10)
    assert np.array_equal(indices, np.load(FOLDER / f"{stem}.npy"))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_image_is_the_same_but_for_the_last_level(stem, threads):
    """Another machine may round the network's floats differently, never by more than one level of 255."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        decoded = load_codec(FOLDER / f"{stem}.safetensors").decompress((FOLDER / f"{stem}.vqz").read_bytes())
    finally:
        torch.set_num_threads(before)
    difference = np.abs(decoded.astype(int) - read_image(FOLDER / f"{stem}.png"))
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_every_flipped_bit_of_a_file_is_noticed(stem):
    codec = load_codec(FOLDER / f"{stem}.safetensors")
    data = (FOLDER / f"{stem}.vqz").read_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            codec.decompress(bytes(damaged))
