"""How speech sounds after coding: PESQ, STOI and perceptually weighted SNR."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vqvae.errors import MissingPackageError
from vqvae.speech.mdct import SAMPLE_RATE

WINDOW, HOP, ORDER = 512, 256, 16  # of the weighted SNR: 32 ms frames every 16 ms, linear prediction of order 16
ZEROS, POLE = 0.92, 0.68  # W(z) = A(z / 0.92) / (1 − 0.68 z⁻¹)
ACTIVE, LIMITS = 40.0, (-10.0, 40.0)  # dB: frames below the loudest that count, and the range of each frame's SNR
LAG_HERTZ, WHITE_NOISE = 60.0, 1.0001  # what keeps linear prediction well-conditioned


class SpeechQuality(NamedTuple):
    """How near decoded speech is to the original.

    Attributes:
        pesq: wide-band PESQ (P.862.2), a mean opinion score from 1.04 to 4.64.
        stoi: short-time objective intelligibility, 0 to 1.
        psnr: perceptually weighted segmental SNR in dB; of waveforms, so it says nothing of coders that shift phases.
    """

    pesq: float
    stoi: float
    psnr: float


def speech_quality(original: Float[np.ndarray, " n"], decoded: Float[np.ndarray, " n"]) -> SpeechQuality:
    """All measures of two signals of 16 kHz, from −1 to 1.

    Raises:
        MissingPackageError: `pesq` or `pystoi` is not installed.
    """
    try:
        from pesq import pesq
        from pystoi import stoi
    except ImportError as error:
        raise MissingPackageError(
            f"measuring speech needs the package {error.name}: pip install 'vqkit[speech]' (pesq needs a C compiler)"
        ) from None
    x, y = original.astype(np.float64), decoded.astype(np.float64)
    return SpeechQuality(pesq(SAMPLE_RATE, x, y, "wb"), float(stoi(x, y, SAMPLE_RATE)), weighted_snr(x, y))


def weighted_snr(original: Float[np.ndarray, " n"], decoded: Float[np.ndarray, " n"]) -> float:
    """Segmental SNR, signal and error both weighted by A(z/γ) of the original and a de-emphasis, in dB.

    The mean over frames within 40 dB of the loudest, each clipped to −10 … 40 dB.
    """
    frames, errors = _frames(original), _frames(original - decoded)
    weights = _weights(frames)
    signal = (np.abs(np.fft.rfft(frames)) ** 2 * weights).sum(1)
    noise = (np.abs(np.fft.rfft(errors)) ** 2 * weights).sum(1)
    energy = (frames**2).sum(1)
    active = energy > energy.max() * 10 ** (-ACTIVE / 10)
    ratios = 10 * np.log10(signal[active] / np.maximum(noise[active], 1e-20))
    return float(np.clip(ratios, *LIMITS).mean())


def _frames(signal: Float[np.ndarray, " n"]) -> Float[np.ndarray, "f w"]:
    padded = np.pad(signal, (0, max(0, WINDOW - len(signal))))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW + 2)[1:-1]


def _weights(frames: Float[np.ndarray, "f w"]) -> Float[np.ndarray, "f b"]:
    """|A(z/γ)|² |1 / (1 − 0.68 z⁻¹)|² of each frame, with A from its autocorrelation."""
    spectrum = np.abs(np.fft.rfft(frames, 2 * WINDOW)) ** 2
    lags = np.arange(ORDER + 1)
    window = np.exp(-0.5 * (2 * np.pi * LAG_HERTZ * lags / SAMPLE_RATE) ** 2)
    correlation = np.fft.irfft(spectrum)[:, : ORDER + 1] * window
    correlation[:, 0] = correlation[:, 0] * WHITE_NOISE + 1e-9
    matrices = correlation[:, np.abs(lags[:ORDER, None] - lags[None, :ORDER])]
    solved = np.linalg.solve(matrices, -correlation[:, 1:, None])[..., 0]
    filters = np.concatenate([np.ones((len(frames), 1)), solved], 1) * ZEROS**lags
    pole = np.abs(np.fft.rfft([1.0, -POLE], WINDOW)) ** 2
    return np.abs(np.fft.rfft(filters, WINDOW)) ** 2 / pole
