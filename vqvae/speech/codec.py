"""Speech to bytes and back."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, Int64

from vqvae.errors import UsageError
from vqvae.formats.varint import LARGEST
from vqvae.formats.vqs import SpeechContainer, overhead_bytes, pack_speech, unpack_speech
from vqvae.quantizers import CodebookQuantizer
from vqvae.speech.envelope import OCTAVE, BandMaps, BinMaps, log_energies, to_bins
from vqvae.speech.frames import Frame, FrameCoder, Frames
from vqvae.speech.mdct import FRAME, SAMPLE_RATE, frame_count, imdct, mdct
from vqvae.speech.rate import COARSEST, FINEST, UNIT, Plan, Reservoir, average_step, make_plan, planned_step
from vqvae.speech.spectrum import PARITY, all_contexts, dequantise, noise, quantise, scale_classes
from vqvae.speech.tables import LARGEST_CHANGE, Tables

FULL_SCALE = 32768.0  # spectra are of 16-bit samples
LOWEST_RATE, HIGHEST_RATE = 6.0, 64.0  # kbit/s
DEFAULT_RATE = 13.2
LOUDEST = 256.0  # magnitude of a sample; from 1 on they are clipped where they are written to sound files
PLANNED = np.arange(-LARGEST_CHANGE, LARGEST_CHANGE + 1, 4)  # step sizes whose bits are computed for a plan, in UNITs
BLOCK = 64  # frames that are decoded together where there is no need to wait for less
SHORT = 0.7  # of its share of bits, what a signal gets at least for its frames, however short


class SpeechModel(NamedTuple):
    """All that a codec is made of; what decides over symbols is integers.

    Attributes:
        quantizer: of envelopes; its codewords are multiples of 1/256, so that sums are exact.
        mean: of the envelopes, in 1/256 octave.
        edges: first bins of the bands, and the end of the last.
        maps: from bands to bins.
        tables: frequencies and levels.
        rounding: of the uniform quantiser; of use in the encoder alone.
    """

    quantizer: CodebookQuantizer
    mean: Int[np.ndarray, " B"]
    edges: Int[np.ndarray, " edges"]
    maps: BandMaps
    tables: Tables
    rounding: float


class Analysis(NamedTuple):
    """What the encoder knows of a signal before it chooses step sizes."""

    spectrum: Float[np.ndarray, "F N"]
    indices: Int64[np.ndarray, "F M"]
    bins: BinMaps


class SpeechCodec:
    """Compresses speech of 16 kHz with one model, at any rate from 6 to 64 kbit/s.

    Args:
        model: the model.
        model_id: tells files of this model from those of others, 32 bytes.
    """

    def __init__(self, model: SpeechModel, model_id: bytes):
        self.model = model
        self.model_id = model_id
        self.coder = FrameCoder(model.tables)
        with torch.no_grad():
            start = model.quantizer.decode(torch.zeros(1, model.quantizer.stages, dtype=torch.int64))[0]
            parts = model.quantizer.contributions()
        self._start = (start.double().numpy() * OCTAVE).astype(np.int64) + model.mean
        self._parts = (parts.double().numpy() * OCTAVE).astype(np.int64)

    def compress(self, samples: np.ndarray, kbps: int | float = DEFAULT_RATE, constant: bool = False) -> bytes:
        """The file for a signal.

        Args:
            samples: floats (n,) at 16 kHz, from −1 to 1; others are refused.
            kbps: rate of the file in kbit/s, all of it counted.
            constant: whether each frame keeps within its share of bits and a small reservoir, rather than the file as a
                whole.

        Raises:
            UsageError: the rate is out of range, or too low for this signal, or the samples are not as described.
        """
        self._check(samples, kbps)
        analysis = self.analyse(samples)
        budget = self.budget(len(samples), kbps)
        step, frames = (self._constant if constant else self._average)(analysis, budget)
        payload = self.write(frames, step)
        while 8 * len(payload) > budget and not constant and step < COARSEST:
            step += 1  # what symbols take was rounded
            frames = self.quantise(analysis, step)
            payload = self.write(frames, step)
        if 8 * len(payload) > budget:
            least = kbps * 8 * len(payload) / budget
            raise UsageError(f"{kbps:g} kbit/s is too low for this signal: it takes at least {least:.1f} kbit/s")
        return pack_speech(SpeechContainer(len(samples), self.model_id, constant, step, payload))

    def decompress(self, data: bytes) -> Float32[np.ndarray, " n"]:
        """The signal of a file, at 16 kHz, from −1 to 1.

        Raises:
            UnknownModelError: the file was made with another model.
            BitstreamError: the file is foreign, truncated or corrupt.
        """
        return np.concatenate(list(self.stream(data, BLOCK)))

    def stream(self, data: bytes, block: int = 1) -> Iterator[Float32[np.ndarray, " n"]]:
        """The signal of a file, a few frames at a time.

        Args:
            data: the file.
            block: how many frames.

        Raises:
            BitstreamError: as `decompress`; what is wrong within the payload is only found on the way.
        """
        container = unpack_speech(data, self.model_id)
        frames, first = self.read(container), 0
        last, before = np.zeros((0, FRAME)), np.zeros(FRAME, np.int32)
        while part := list(islice(frames, block)):
            indices, steps, quantised = map(np.stack, zip(*part, strict=True))
            step = container.step + UNIT * steps[:, None]
            spectrum = self._dequantise(indices, step, quantised, before, first)
            spectrum, before = np.concatenate([last, spectrum]), quantised[-1]
            done = max(0, first - 1) * FRAME
            first, last = first + len(part), spectrum[-1:]
            signal = imdct(spectrum, min(container.samples - done, (len(spectrum) - 1) * FRAME))
            if len(signal):  # the first frame alone gives nothing yet
                yield (signal / FULL_SCALE).astype(np.float32)

    def read(self, container: SpeechContainer) -> Iterator[Frame]:
        """What a file says, frame by frame: integers, the same on every machine.

        Raises:
            BitstreamError: the payload is damaged.
        """

        def scales_of(indices: Int64[np.ndarray, " M"], step: int) -> Int64[np.ndarray, " N"]:
            return scale_classes(self._bins(indices[None]).ratio[0] - container.step - UNIT * step)

        count = frame_count(container.samples)
        return self.coder.read(container.payload, count, container.constant, scales_of)

    def write(self, frames: Frames, step: int) -> bytes:
        """The payload of frames, of which `read` makes the same again.

        Args:
            frames: the frames.
            step: the step size of the file.
        """
        return self.coder.write(frames, self._scales(self._bins(frames.indices), step, frames.steps))

    def analyse(self, samples: Float[np.ndarray, " n"]) -> Analysis:
        """Spectrum and quantised envelopes of a signal."""
        spectrum = mdct(samples.astype(np.float64) * FULL_SCALE)
        envelopes = log_energies(spectrum, self.model.edges) - self.model.mean / OCTAVE
        indices = self.model.quantizer.encode(torch.from_numpy(envelopes).float()).numpy()
        return Analysis(spectrum, indices, self._bins(indices))

    def budget(self, samples: int, kbps: int | float) -> float:
        """Bits that the payload of so many samples may take, so that the file keeps its rate."""
        whole = kbps * 1000 * samples / SAMPLE_RATE - 8 * overhead_bytes(samples)
        return max(whole, SHORT * kbps * 1000 * frame_count(samples) * FRAME / SAMPLE_RATE)

    def quantise(self, analysis: Analysis, step: int) -> Frames:
        """All frames with one step size."""
        return Frames(
            analysis.indices, None, quantise(analysis.spectrum, analysis.bins.step + step, self.model.rounding)
        )

    def bits(self, analysis: Analysis, step: int) -> Float[np.ndarray, " F"]:
        """What the bins of each frame take, in bits, where all have the same step size."""
        return self.coder.bin_bits(self.quantise(analysis, step).quantised, self._scales(analysis.bins, step, None))

    def _average(self, analysis: Analysis, budget: float) -> tuple[int, Frames]:
        if not self.quantise(analysis, FINEST).quantised.any():  # digital silence: finer steps would only cost bits
            return COARSEST, self.quantise(analysis, COARSEST)
        side = self.coder.index_bits(analysis.indices).sum()
        step = average_step(lambda step: self.bits(analysis, step).sum() + side, budget)
        return step, self.quantise(analysis, step)

    def _constant(self, analysis: Analysis, budget: float) -> tuple[int, Frames]:
        count = len(analysis.indices)
        side = self.coder.index_bits(analysis.indices)
        start = average_step(lambda step: self.bits(analysis, step).sum() + side.sum() + 3 * count, budget)
        share = (budget - 8) / count  # the last byte may not be full
        plan = self._plan(analysis, start, side, share)
        reservoir, before, step = Reservoir(share), np.zeros(FRAME, np.int32), 0
        steps, quantised = np.empty(count, np.int64), np.empty((count, FRAME), np.int32)
        for frame in range(count):
            changes = self.coder.change_bits(np.clip(plan.offsets - step, -LARGEST_CHANGE, LARGEST_CHANGE))
            wanted = planned_step(plan, frame, reservoir, changes)
            step, before, bits = self._fit_frame(analysis, frame, start, step, wanted, before, reservoir, side[frame])
            reservoir.take(bits)
            steps[frame], quantised[frame] = step, before
        return start, Frames(analysis.indices, steps, quantised)

    def _plan(self, analysis: Analysis, start: int, side: Float[np.ndarray, " F"], share: float) -> Plan:
        known = np.stack([self.bits(analysis, start + UNIT * int(offset)) for offset in PLANNED], 1)
        offsets = np.arange(PLANNED[0], PLANNED[-1] + 1)
        place = (offsets - PLANNED[0]) / (PLANNED[1] - PLANNED[0])
        below = np.minimum(place.astype(np.int64), len(PLANNED) - 2)
        bits = known[:, below] + (place - below) * (known[:, below + 1] - known[:, below])
        return make_plan(bits + side[:, None] + 1, offsets, share)

    def _fit_frame(
        self,
        analysis: Analysis,
        frame: int,
        start: int,
        last: int,
        wanted: int,
        before: Int[np.ndarray, " N"],
        reservoir: Reservoir,
        side: float,
    ) -> tuple[int, Int[np.ndarray, " N"], float]:
        """The finest step size from the wanted one on with which a frame fits, its bins, and its bits."""
        most = min(LARGEST_CHANGE, last + LARGEST_CHANGE)
        step = min(max(wanted, last - LARGEST_CHANGE), most)
        while True:
            size = start + UNIT * step
            quantised = quantise(analysis.spectrum[frame], analysis.bins.step[frame] + size, self.model.rounding)
            scales = scale_classes(analysis.bins.ratio[frame] - size)
            bits = side + self.coder.next_bits(before, quantised, scales)
            bits += float(self.coder.change_bits(np.array([step - last]))[0])
            if bits <= reservoir.available or step == most:
                return step, quantised, bits
            step += 1

    def _bins(self, indices: Int64[np.ndarray, "F M"]) -> BinMaps:
        envelope = self._start + self._parts[np.arange(indices.shape[1]), indices].sum(1)
        return to_bins(envelope, self.model.maps)

    def _scales(self, bins: BinMaps, step: int, steps: Int64[np.ndarray, " F"] | None) -> Int64[np.ndarray, "F N"]:
        return scale_classes(bins.ratio - step - (0 if steps is None else UNIT * steps[:, None]))

    def _dequantise(
        self,
        indices: Int64[np.ndarray, "F M"],
        step: Int64[np.ndarray, "F 1"],
        quantised: Int32[np.ndarray, "F N"],
        before: Int32[np.ndarray, " N"],
        first: int,
    ) -> Float[np.ndarray, "F N"]:
        """The spectrum of successive frames, number `first` and so on, after a frame with the bins `before`."""
        bins = self._bins(indices)
        contexts = all_contexts(np.abs(quantised), np.abs(before))
        levels = self.model.tables.levels[PARITY, scale_classes(bins.ratio - step), contexts]
        return dequantise(quantised, levels, bins.step + step, noise(first, len(indices)))

    @staticmethod
    def _check(samples: np.ndarray, kbps: int | float) -> None:
        if not LOWEST_RATE <= kbps <= HIGHEST_RATE:
            raise UsageError(f"{kbps:g} kbit/s is out of range: choose from {LOWEST_RATE:g} to {HIGHEST_RATE:g}")
        if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
            kind = f"{samples.dtype} of shape {samples.shape}"
            raise UsageError(f"samples are {kind}, but must be floats of one channel, from −1 to 1: convert them")
        if not 1 <= len(samples) <= LARGEST:
            raise UsageError(f"there are {len(samples)} samples, but there must be from 1 to {LARGEST}")
        if not np.abs(samples).max() <= LOUDEST:
            raise UsageError(f"samples hold NaN or more than {LOUDEST:g}, but must be from −1 to 1: scale them")
