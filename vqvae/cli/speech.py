"""What the commands do with speech: sound files to .vqs files and back, figures, and facts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from vqvae.bulk.outputs import make_folders
from vqvae.bulk.pipeline import BatchRequest
from vqvae.bulk.plan import Job, Plan, find_files, plan
from vqvae.bulk.tasks import FileResult, FileTask
from vqvae.cli.files import describe_kept
from vqvae.cli.progress import run, run_each, say, say_skipped
from vqvae.cli.tables import number, print_table
from vqvae.errors import ModelFileError, errors_of
from vqvae.evaluation.speech import RATES, SpeechResult, measure_speech, summarise_speech
from vqvae.evaluation.speech_coders import OurSpeech, SpeechCoder, reference_coders
from vqvae.formats.vqs import FINGERPRINT_BYTES, model_hint, unpack_speech
from vqvae.media.atomic import atomic_path
from vqvae.media.audio import READABLE_AUDIO, Recording, read_audio, write_audio
from vqvae.models.speech import load_speech
from vqvae.models.store import ModelStore, find_speech_model
from vqvae.speech.codec import DEFAULT_RATE, SpeechCodec
from vqvae.speech.mdct import SAMPLE_RATE, frame_count

SUFFIX = ".vqs"


class SpeechFileResult(NamedTuple):
    """What became of one file, and what to say of it."""

    source: Path
    target: Path
    said: str
    kept: bool = False


def encode_speech(
    inputs: Sequence[Path], output: Path | None, model: str | None, kbps: float | None, constant: bool, force: bool
) -> bool:
    """Compresses sound files.

    Args:
        inputs: files and folders.
        output: a file name for a single input, or a folder.
        model: a shipped model's name or a model file.
        kbps: rate in kbit/s.
        constant: whether each frame keeps to it.
        force: whether to replace outputs that exist.

    Returns:
        whether all could be compressed.
    """
    task = CompressSpeech(ModelStore(), force, codec=_load(model), kbps=kbps or DEFAULT_RATE, constant=constant)
    return _run(plan(inputs, output, READABLE_AUDIO, SUFFIX), task)


def decode_speech(inputs: Sequence[Path], output: Path | None, model: str | None, suffix: str, force: bool) -> bool:
    """Decompresses .vqs files to sound files.

    Args:
        inputs: files and folders.
        output: a file name for a single input, or a folder.
        model: the model, where it is none of those shipped.
        suffix: type of the sound files where `output` does not name one.
        force: whether to replace outputs that exist.

    Returns:
        whether all could be decompressed.
    """
    return _run(plan(inputs, output, {SUFFIX}, suffix), DecompressSpeech(ModelStore(), force, model=model))


@dataclass(frozen=True, kw_only=True)
class CompressSpeech(FileTask[Recording]):
    """Compresses sound files.

    Attributes:
        codec: of the model.
        kbps: rate in kbit/s.
        constant: whether each frame keeps to it.
    """

    codec: SpeechCodec
    kbps: float
    constant: bool

    def read(self, item: Job) -> Recording:
        return read_audio(item.source, SAMPLE_RATE)

    def request(self, item: Job, loaded: Recording) -> BatchRequest:
        def compress(batch: list[Any]) -> list[bytes]:
            with errors_of(item.source):
                return [self.codec.compress(samples, self.kbps, self.constant) for samples in batch]

        return BatchRequest(compress, loaded.samples, item, 1, partial(self._write, item, loaded))

    def _write(self, item: Job, audio: Recording, data: bytes) -> SpeechFileResult:
        make_folders(item.target.parent)
        with atomic_path(item.target) as temporary:
            temporary.write_bytes(data)
        rate = 8 * len(data) * SAMPLE_RATE / len(audio.samples) / 1000
        changes = "".join(f", {change}" for change in audio.changes)
        return SpeechFileResult(item.source, item.target, f"{len(data)} bytes, {rate:.2f} kbit/s{changes}")


@dataclass(frozen=True, kw_only=True)
class DecompressSpeech(FileTask[bytes]):
    """Decompresses .vqs files.

    Attributes:
        model: the model, where it is none of those bundled.
    """

    model: str | None

    def read(self, item: Job) -> bytes:
        return item.source.read_bytes()

    def request(self, item: Job, loaded: bytes) -> BatchRequest:
        def decompress(batch: list[bytes]) -> list[Any]:
            with errors_of(item.source):
                return [_codec_for(data, self.model).decompress(data) for data in batch]

        return BatchRequest(decompress, loaded, item, 1, partial(self._write, item))

    def _write(self, item: Job, samples: Any) -> SpeechFileResult:
        make_folders(item.target.parent)
        with errors_of(item.target), atomic_path(item.target) as temporary:
            write_audio(samples, SAMPLE_RATE, temporary, item.target.suffix)
        return SpeechFileResult(item.source, item.target, f"{len(samples) / SAMPLE_RATE:.2f} s")


def _run(what: Plan, task: FileTask) -> bool:
    say_skipped(what.skipped)
    tally = run(what.jobs, task, 1, _describe)
    if len(what.jobs) > 1:
        say(tally.summary("written"))
    return not tally.failed


def _describe(result: FileResult | SpeechFileResult) -> str:
    if isinstance(result, FileResult):
        return describe_kept(result)
    return f"{result.source} → {result.target}: {result.said}"


def evaluate_speech(path: Path, model: str | None, against: str | None, json_file: str | None) -> bool:
    """Measures our codec, and others, on sound files at the paper's rates; prints the figures and writes them as JSON.

    Args:
        path: a sound file or a folder.
        model: a shipped model's name or a model file.
        against: the other coders, with commas between.
        json_file: where to write all figures, if anywhere.

    Returns:
        whether all could be measured.
    """
    codec = _load(model)
    coders: list[SpeechCoder] = [OurSpeech(codec, constant=False), OurSpeech(codec, constant=True)]
    coders += reference_coders(against.split(",") if against else [])
    results: list[SpeechResult] = []

    def work(file: Path) -> None:
        with errors_of(file):
            results.extend(measure_speech(coders, str(file), read_audio(file, SAMPLE_RATE).samples, RATES))

    failed = run_each(find_files(path, READABLE_AUDIO).files, work)
    summary = summarise_speech(results)
    if results and json_file:
        report = {"summary": summary, "results": [result._asdict() for result in results]}
        with atomic_path(Path(json_file)) as temporary:
            temporary.write_text(json.dumps(report, indent=1))
    columns = ["kbps", "pesq", "pesq_low", "pesq_high", "stoi", "psnr"]
    print_table(
        ["codec", "kbit/s", *columns],
        ([row["coder"], number(row["target"], "g"), *(number(row[column]) for column in columns)] for row in summary),
    )
    return not failed


def describe_speech(path: Path, model: str | None = None) -> dict[str, Any]:
    """The facts of a .vqs file, by name, after all of it has been read.

    Raises:
        BitstreamError: it is none, or damaged.
    """
    data = path.read_bytes()
    with errors_of(path):
        codec = _codec_for(data, model)
        container = unpack_speech(data, codec.fingerprint)
        for _ in codec.read(container):
            pass
    return {
        "file": str(path),
        "version": data[2] >> 4,
        "samples": container.samples,
        "seconds": container.samples / SAMPLE_RATE,
        "frames": frame_count(container.samples),
        "model_fingerprint": model_hint(data).hex(),
        "rate": "constant" if container.constant else "average",
        "step": container.step,
        "bytes": len(data),
        "payload_bytes": len(container.payload),
        "kbps": 8 * len(data) * SAMPLE_RATE / container.samples / 1000,
    }


@cache
def _load(model: str | None) -> SpeechCodec:
    return load_speech(find_speech_model(model or "speech"))


def _codec_for(data: bytes, model: str | None) -> SpeechCodec:
    """The codec of the given model, or of the shipped one that made a file."""
    hint = model_hint(data)
    codec = _load(model)
    if model is None and hint != codec.fingerprint[:FINGERPRINT_BYTES]:
        raise ModelFileError(
            f"made with a model that is not shipped (fingerprint {hint.hex()}): name its file with --model"
        )
    return codec
