"""BD-rates against curves whose distance is known, and against an integral of straight lines."""

import numpy as np
import pytest

from vqvae.evaluation.bd_rate import bd_rate

RATES = np.geomspace(0.12, 0.9, 30)


def curve(rates: np.ndarray, psnr: np.ndarray) -> list[tuple[float, float]]:
    return list(zip(rates.tolist(), psnr.tolist(), strict=True))


ANCHOR = curve(RATES, 36 + 8 * np.log10(RATES))


@pytest.mark.parametrize("factor", [0.85, 1.1])
def test_a_curve_at_a_multiple_of_the_rate_differs_by_that(factor):
    shifted = [(factor * rate, psnr) for rate, psnr in ANCHOR]
    assert bd_rate(ANCHOR, shifted).percent == pytest.approx(100 * (factor - 1))
    assert bd_rate(ANCHOR, shifted[::-1]).percent == pytest.approx(100 * (factor - 1))


def test_the_logarithm_of_the_rate_is_averaged_over_the_psnr_that_both_reach():
    other = curve(RATES, 38 + 7 * np.log10(RATES) - np.square(np.log10(RATES)))
    (rates, psnr), (own_rates, own_psnr) = np.transpose(ANCHOR), np.transpose(other)
    both = np.linspace(max(psnr[0], own_psnr[0]), min(psnr[-1], own_psnr[-1]), 1000)
    difference = np.interp(both, own_psnr, np.log(own_rates)) - np.interp(both, psnr, np.log(rates))
    found = bd_rate(ANCHOR, other)
    assert found.percent == pytest.approx(100 * np.expm1(difference.mean()), abs=0.1)
    assert found.note == f"from {both[0]:.1f} to {both[-1]:.1f} dB"


def test_only_points_from_a_tenth_of_a_bit_to_one_count():
    shifted = [(0.9 * rate, psnr) for rate, psnr in ANCHOR]
    beyond = [(0.05, 20.0), *shifted, (1.2, 80.0), (3.0, 40.0)]
    assert bd_rate(ANCHOR, beyond) == bd_rate(ANCHOR, shifted)


@pytest.mark.parametrize(
    ("points", "note"),
    [
        (ANCHOR[:3], "it has 3 of the 4 points needed from 0.1 to 1 bpp"),
        ([(rate, psnr + 20) for rate, psnr in ANCHOR], "no quality that both reach"),
        ([(rate, 30.0) for rate, _ in ANCHOR], "a quality that does not rise with the rate"),
    ],
)
def test_where_there_is_none_a_note_says_why(points, note):
    assert bd_rate(ANCHOR, points) == (None, note)
