import numpy as np
import pytest

from vqvae.errors import BitstreamError
from vqvae.quantizers import ProductVQ
from vqvae.speech.fitting import blank_tables
from vqvae.speech.frames import FrameCoder, Frames
from vqvae.speech.mdct import FRAME
from vqvae.speech.spectrum import MOST, SCALES

STAGES, COUNT = 4, 12


@pytest.fixture(scope="module")
def scales() -> np.ndarray:
    return np.random.default_rng(1).integers(0, SCALES, (COUNT, FRAME))


def frames(largest: int, constant: bool) -> Frames:
    draws = np.random.default_rng(largest)
    quantised = np.round(draws.laplace(0, 1, (COUNT, FRAME)) * draws.choice([0.3, 1, largest / 8], (COUNT, 1)))
    quantised = np.clip(quantised, 1 - MOST, MOST - 1).astype(np.int32)
    steps = draws.integers(-30, 30, COUNT) if constant else None
    return Frames(draws.integers(0, 16, (COUNT, STAGES)), steps, quantised)


def read(coder: FrameCoder, payload: bytes, constant: bool, scales: np.ndarray) -> Frames:
    rows = iter(scales)
    decoded = list(coder.read(payload, COUNT, constant, lambda indices, step: next(rows)))
    indices, steps, quantised = map(np.stack, zip(*decoded, strict=True))
    return Frames(indices, steps if constant else None, quantised)


@pytest.fixture(params=["blank tables", "a model's tables"])
def coder(request) -> FrameCoder:
    if request.param == "blank tables":
        return FrameCoder(blank_tables(ProductVQ(20, STAGES, 4)))
    return request.getfixturevalue("codec").coder


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("largest", [1, 20, 5000, 10**7])
def test_frames_come_back(coder, scales, largest, constant):
    written = frames(largest, constant)
    decoded = read(coder, coder.write(written, scales), constant, scales)
    for name, array in written._asdict().items():
        assert array is None or np.array_equal(array, getattr(decoded, name)), name


@pytest.mark.parametrize("largest", [1, 20, 5000])
def test_bits_are_what_the_payload_takes(coder, scales, largest):
    written = frames(largest, False)
    bits = coder.index_bits(written.indices).sum() + coder.bin_bits(written.quantised, scales).sum()
    assert -8 <= 8 * len(coder.write(written, scales)) - bits <= 16


def test_bits_of_one_frame_after_another_are_those_of_all(coder, scales):
    quantised = frames(20, False).quantised
    before = np.concatenate([np.zeros((1, FRAME), np.int32), quantised[:-1]])
    single = [coder.next_bits(*frame) for frame in zip(before, quantised, scales, strict=True)]
    np.testing.assert_allclose(single, coder.bin_bits(quantised, scales), rtol=1e-5)


def test_a_damaged_payload_is_read_to_its_end_or_refused(coder, scales):
    payload = bytearray(coder.write(frames(5000, True), scales))
    draws, refused = np.random.default_rng(0), 0
    for _ in range(60):
        damaged = payload.copy()
        damaged[draws.integers(len(damaged))] ^= 1 << draws.integers(8)
        try:
            read(coder, bytes(damaged), True, scales)
        except BitstreamError:
            refused += 1
    assert refused > 0


def test_too_short_a_payload_is_refused_before_it_is_read(coder):
    with pytest.raises(BitstreamError, match="too short"):
        next(coder.read(bytes(10), 10**6, False, lambda indices, step: np.zeros(FRAME, np.int64)))
