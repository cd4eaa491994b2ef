"""Files written by earlier versions, which every later one must still decode, to the bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae.backend.dispatch import Plain
from vqvae.codec import ImageCodec
from vqvae.errors import BitstreamError
from vqvae.formats import Coded
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqz import split
from vqvae.media.images import read_image
from vqvae.media.metadata_chunks import to_picture
from vqvae.models.file import load_codec

FOLDER = Path(__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.vqz"))
HEIGHT, WIDTH = 21, 38


@pytest.fixture(params=FILES)
def stem(request: pytest.FixtureRequest) -> str:
    return request.param


def codec_of(stem: str) -> ImageCodec:
    name = stem.removesuffix("-progressive").replace("v3", "v2").replace("v6", "v5")
    return load_codec(FOLDER / f"{name}.safetensors")


def coded(stem: str) -> Coded:
    return split((FOLDER / f"{stem}.vqz").read_bytes()).coded


@contextmanager
def setting(threads: int = 1, dtype: torch.dtype = torch.float32) -> Iterator[None]:
    before = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_default_dtype(before[1])


def test_there_are_golden_files_of_every_version_quantiser_and_entropy_model():
    names = {f"v{version}-{name}" for version in (1, 2, 5) for name in ("vq", "rvq", "pvq", "avq")}
    names |= {
        f"v{version}-{name}"
        for version in (2, 5)
        for name in ("rvq-histogram", "rvq-progressive", "avq-progressive", "rvq-histogram-progressive")
    }
    names |= {"v3-rvq", "v3-rvq-progressive", "v6-rvq", "v6-rvq-progressive"}
    assert names <= set(FILES)
    assert {coded(stem).entropy_code for stem in FILES} == {0, 1, 2}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_indices_are_exactly_those_that_were_written(stem, threads, dtype):
    with setting(threads, dtype):
        indices = codec_of(stem).decode_indices([coded(stem)], HEIGHT, WIDTH)[0]
    assert np.array_equal(indices, np.load(FOLDER / f"{stem}.npy"))


def test_the_indices_are_the_same_without_compiled_code(stem):
    codec = codec_of(stem)
    codec.backend = Plain()
    indices = codec.decode_indices([coded(stem)], HEIGHT, WIDTH)[0]
    assert np.array_equal(indices, np.load(FOLDER / f"{stem}.npy"))


def test_the_indices_are_the_same_in_batches_of_any_size_and_order(stem):
    """Among images of the same size that are something else, wherever the golden one stands."""
    codec = codec_of(stem)
    draws = np.random.default_rng(0)
    others = codec.compress_batch(
        draws.integers(256, size=(6, HEIGHT, WIDTH, 3), dtype=np.uint8), coded(stem).progressive
    )
    golden = np.load(FOLDER / f"{stem}.npy")
    for size in (1, 2, 5, 7):
        place = int(draws.integers(size))
        batch = [*others[:place], coded(stem), *others[place : size - 1]]
        assert np.array_equal(codec.decode_indices(batch, HEIGHT, WIDTH)[place], golden)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_image_is_the_same_but_for_the_last_level(stem, threads):
    """Another machine may round the network's floats differently, never by more than one level of 255."""
    with setting(threads):
        decoded = codec_of(stem).decompress((FOLDER / f"{stem}.vqz").read_bytes())
    difference = np.abs(decoded.astype(int) - read_image(FOLDER / f"{stem}.png"))
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_every_flipped_bit_of_a_file_is_noticed(stem):
    codec = codec_of(stem)
    data = (FOLDER / f"{stem}.vqz").read_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            codec.decompress(bytes(damaged))


@pytest.mark.parametrize("stem", ["v3-rvq", "v3-rvq-progressive", "v6-rvq", "v6-rvq-progressive"])
def test_what_belongs_to_the_image_is_exactly_what_was_put_there(stem):
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture = to_picture(pixels, split((FOLDER / f"{stem}.vqz").read_bytes()).chunks)
    assert picture.grey and np.array_equal(picture.alpha, np.load(FOLDER / f"{stem[:2]}-alpha.npy"))
    assert (picture.profile, picture.exif, picture.xmp) == tuple(
        f"the {name} of the picture".encode() for name in ("profile", "exif", "xmp")
    )


@pytest.mark.parametrize(("name", "model"), [("v1-archive", "v2-rvq"), ("v1-archive-of-v5", "v5-rvq")])
def test_the_golden_archive_holds_what_was_put_into_it(name, model):
    archive, codec = Archive(FOLDER / f"{name}.vqa"), codec_of(model)
    archive.check_model(codec.model_id)
    expected = np.load(FOLDER / f"{name}.npz")
    assert archive.names == list(expected) and archive.torn_bytes == 0
    for entry in archive:
        one = Coded(entry.entropy_code, (entry.payload,))
        assert np.array_equal(codec.decode_indices([one], entry.height, entry.width)[0], expected[entry.name])
