import numpy as np
import pytest

from vqvae.speech.mdct import FRAME
from vqvae.speech.spectrum import (
    HALVES,
    LARGEST,
    THRESHOLDS,
    all_contexts,
    context_classes,
    dequantise,
    noise,
    quantise,
    scale_classes,
)


def plain_context(half: int, before: np.ndarray, frame: np.ndarray, place: int) -> int:
    """The context class of one bin, as docs/format.md has it."""

    def at(magnitudes: np.ndarray, bin_: int) -> int:
        return min(int(magnitudes[bin_]), LARGEST) if 0 <= bin_ < FRAME else 0

    around = at(before, place - 1) + 2 * at(before, place) + at(before, place + 1)
    value = around // 2 if half == 0 else around // 4 + at(frame, place - 1) + at(frame, place + 1)
    return sum(value > threshold for threshold in THRESHOLDS)


def test_contexts_are_sums_of_known_neighbours():
    draws = np.random.default_rng(0)
    magnitudes = draws.poisson(draws.choice([0.2, 2, 12], (3, 1)), (3, FRAME)).astype(np.int32)
    contexts = all_contexts(magnitudes)
    before = np.concatenate([np.zeros((1, FRAME), np.int32), magnitudes[:-1]])
    for frame in range(3):
        expected = [plain_context(k % 2, before[frame], magnitudes[frame], k) for k in range(FRAME)]
        assert contexts[frame].tolist() == expected


def test_even_bins_need_nothing_of_their_own_frame():
    before = np.random.default_rng(0).poisson(2, FRAME).astype(np.int32)
    some, other = np.zeros(FRAME, np.int32), np.full(FRAME, 9, np.int32)
    assert np.array_equal(context_classes(HALVES[0], before, some), context_classes(HALVES[0], before, other))


def test_scale_classes_are_half_octaves():
    ratio = np.array([-(10**6), -2048, 0, 63, 64, 191, 192, 10**6])
    assert scale_classes(ratio).tolist() == [0, 0, 16, 16, 17, 17, 18, 40]


@pytest.mark.parametrize("rounding", [0.3, 0.5])
def test_the_dead_zone_is_as_wide_as_asked_for(rounding):
    values = np.array([0.99 - rounding, 1.01 - rounding, -(1.01 - rounding), 1.99 - rounding, 2.01 - rounding])
    assert quantise(values * 8, np.full(5, 6 * 256), rounding).tolist() == [0, 1, -1, 1, 2]


def test_levels_stand_for_magnitudes_and_noise_for_zeros():
    levels = np.tile(np.concatenate([[128], 256 * np.arange(1, LARGEST + 1) - 16]), (4, 1))
    values = dequantise(np.array([0, 1, -3, 40]), levels, np.full(4, 512), np.array([-1, 9.0, 9, 9]))
    np.testing.assert_allclose(values, 2 * np.array([-0.5, 0.9375, -2.9375, 39.9375]))


def test_noise_is_uniform_and_does_not_depend_on_where_one_begins():
    whole = noise(0, 100)
    assert np.array_equal(noise(40, 10), whole[40:50])
    assert abs(whole.mean()) < 0.02 and whole.std() == pytest.approx(3**-0.5, rel=0.02) and np.abs(whole).max() <= 1
    assert abs(np.corrcoef(whole[:, :-1].ravel(), whole[:, 1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(whole[:-1].ravel(), whole[1:].ravel())[0, 1]) < 0.02
