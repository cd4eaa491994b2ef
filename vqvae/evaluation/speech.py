"""Speech coders side by side, on the same recordings at the same rates."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vqvae.evaluation.speech_coders import SpeechCoder
from vqvae.evaluation.speech_quality import speech_quality
from vqvae.speech.mdct import SAMPLE_RATE

RATES = (8.0, 9.6, 13.2, 16.4, 24.4, 32.0)  # kbit/s, those of the paper and of EVS
QUANTILES = {"low": 0.025, "high": 0.975}
MEASURES = ("pesq", "stoi", "psnr")


class SpeechResult(NamedTuple):
    """One recording, through one coder at one rate.

    Attributes:
        name: of the recording.
        coder: name of the coder.
        target: the rate asked for, in kbit/s.
        kbps: the rate of what was written.
        pesq: as `SpeechQuality` has it; so are the next two.
    """

    name: str
    coder: str
    target: float
    kbps: float
    pesq: float
    stoi: float
    psnr: float


def measure_speech(
    coders: Sequence[SpeechCoder], name: str, samples: Float[np.ndarray, " n"], rates: Iterable[float] = RATES
) -> Iterator[SpeechResult]:
    """Codes a recording of 16 kHz with each coder at each rate that it has.

    Args:
        coders: the coders.
        name: of the recording.
        samples: from −1 to 1.
        rates: in kbit/s.
    """
    for target in rates:
        for coder in coders:
            if target < coder.lowest:
                continue
            size, decoded = coder.code(samples, target)
            kbps = 8 * size * SAMPLE_RATE / len(samples) / 1000
            yield SpeechResult(name, coder.name, target, kbps, *speech_quality(samples, decoded))


def summarise_speech(results: Sequence[SpeechResult]) -> list[dict[str, Any]]:
    """For each coder and rate: mean, 2.5 % and 97.5 % quantiles over recordings, and their standard deviation."""
    rows = []
    for coder, target in dict.fromkeys((result.coder, result.target) for result in results):
        chosen = [result for result in results if (result.coder, result.target) == (coder, target)]
        row: dict[str, Any] = {"coder": coder, "target": target, "recordings": len(chosen)}
        row["kbps"] = float(np.mean([result.kbps for result in chosen]))
        for measure in MEASURES:
            values = np.array([getattr(result, measure) for result in chosen])
            row[measure] = float(values.mean())
            row[f"{measure}_sd"] = float(values.std())
            row |= {f"{measure}_{end}": float(np.quantile(values, share)) for end, share in QUANTILES.items()}
        rows.append(row)
    return rows
