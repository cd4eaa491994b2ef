"""Coders of speech at chosen rates: our own, Opus and LC3."""

import io
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vqvae.errors import MissingPackageError, UsageError
from vqvae.media.audio import read_audio, resample, write_audio
from vqvae.speech.codec import SpeechCodec
from vqvae.speech.mdct import SAMPLE_RATE

OPUS_RATE = 48000
LC3_FRAME = 0.01  # seconds; frames hold whole bytes


class CodedSpeech(NamedTuple):
    """What a coder made of a signal: the bytes that count, and the decoded signal."""

    bytes: int
    decoded: Float[np.ndarray, " n"]


class SpeechCoder(ABC):
    """Codes a signal of 16 kHz at a rate, and decodes it.

    Args:
        name: what the coder is called.
    """

    lowest = 0.0
    """kbit/s below which the coder has no rate."""

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def code(self, samples: Float[np.ndarray, " n"], kbps: int | float) -> CodedSpeech:
        """There and back."""


class OurSpeech(SpeechCoder):
    """Our codec; whole files count.

    Args:
        codec: the codec.
        constant: whether the rate is constant.
        model: what its model is called.
    """

    def __init__(self, codec: SpeechCodec, constant: bool, model: str = "speech"):
        super().__init__(f"{model} {'constant' if constant else 'average'}")
        self.codec, self.constant = codec, constant

    def code(self, samples: Float[np.ndarray, " n"], kbps: int | float) -> CodedSpeech:
        data = self.codec.compress(samples, kbps, self.constant)
        return CodedSpeech(len(data), self.codec.decompress(data))


class Opus(SpeechCoder):
    """libopus by PyAV, 20 ms, for speech; packets alone count, not the container.

    Args:
        variable: VBR instead of CBR.
    """

    def __init__(self, variable: bool):
        super().__init__("Opus VBR" if variable else "Opus CBR")
        self.variable = variable

    def code(self, samples: Float[np.ndarray, " n"], kbps: int | float) -> CodedSpeech:
        av, file = _import_av(), io.BytesIO()
        options = {"application": "voip", "frame_duration": "20", "vbr": "on" if self.variable else "off"}
        size = 0
        with av.open(file, "w", format="ogg") as container:
            stream: Any = container.add_stream("libopus", rate=SAMPLE_RATE, options=options)
            stream.bit_rate, stream.layout = round(kbps * 1000), "mono"
            frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                size += packet.size
                container.mux(packet)
        file.seek(0)
        with av.open(file) as container:
            decoded = np.concatenate([part.to_ndarray() for part in container.decode(audio=0)], 1)[0]
        return CodedSpeech(size, _fit(resample(decoded, OPUS_RATE, SAMPLE_RATE), len(samples)))


class LC3(SpeechCoder):
    """LC3 with 10 ms frames by liblc3's programs; frames alone count."""

    lowest = 16.0

    def __init__(self) -> None:
        super().__init__("LC3")
        if not (shutil.which("elc3") and shutil.which("dlc3")):
            raise MissingPackageError("lc3 needs the programs elc3 and dlc3: install liblc3-tools, or leave it out")

    def code(self, samples: Float[np.ndarray, " n"], kbps: int | float) -> CodedSpeech:
        with tempfile.TemporaryDirectory() as folder:
            source, coded, decoded = (Path(folder) / name for name in ("in.wav", "x.lc3", "out.wav"))
            write_audio(samples, SAMPLE_RATE, source, ".wav")
            frame = int(kbps * 1000 * LC3_FRAME / 8)
            rate = str(round(frame * 8 / LC3_FRAME))
            subprocess.run(["elc3", "-b", rate, source, coded], check=True, capture_output=True)
            subprocess.run(["dlc3", coded, decoded], check=True, capture_output=True)
            output = read_audio(decoded, SAMPLE_RATE).samples
        size = frame * -(-len(samples) // round(SAMPLE_RATE * LC3_FRAME))
        return CodedSpeech(size, _fit(output, len(samples)))


def reference_coders(names: Iterable[str]) -> list[SpeechCoder]:
    """The coders of these names, each once.

    Raises:
        UsageError: there is no such name.
        MissingPackageError: what it needs is not installed.
    """
    coders: list[SpeechCoder] = []
    for name in dict.fromkeys(names):
        if name == "opus":
            _import_av()
            coders += [Opus(variable=False), Opus(variable=True)]
        elif name == "lc3":
            coders.append(LC3())
        else:
            raise UsageError(f"there is no speech codec {name!r} to compare with: choose from opus, lc3")
    return coders


def _fit(samples: Float[np.ndarray, " n"], length: int) -> Float[np.ndarray, " m"]:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def _import_av() -> Any:
    try:
        import av
    except ImportError:
        raise MissingPackageError(
            "opus needs the package av, which is not installed: pip install 'vqkit[speech]'"
        ) from None
    return av
