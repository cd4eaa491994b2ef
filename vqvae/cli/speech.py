"""What the commands do with speech: sound files to .vqs files and back, figures, and facts."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vqvae.bulk.plan import OURS, Plan, find_files, plan
from vqvae.bulk.speech import CompressSpeech, DecompressSpeech, SpeechFileResult
from vqvae.bulk.tasks import FileResult, FileTask
from vqvae.cli.files import describe_kept, run_files
from vqvae.cli.progress import run_each, say_skipped
from vqvae.cli.report import publish
from vqvae.cli.tables import number, print_table
from vqvae.errors import UnknownModelError, UsageError, errors_of
from vqvae.evaluation.speech import RATES, SpeechResult, measure_speech, summarise_speech
from vqvae.evaluation.speech_coders import OurSpeech, SpeechCoder, reference_coders
from vqvae.formats.vqs import CHECKSUM_BYTES, read_header, unpack_speech
from vqvae.media.audio import READABLE_AUDIO, read_audio
from vqvae.media.images import READABLE
from vqvae.models.speech import SPEECH
from vqvae.models.store import ModelStore
from vqvae.speech.codec import DEFAULT_RATE
from vqvae.speech.mdct import SAMPLE_RATE, frame_count

SUFFIX = ".vqs"


def encode_speech(
    inputs: Sequence[Path],
    output: Path | None,
    store: ModelStore,
    kbps: float | None,
    constant: bool,
    force: bool,
    json_file: str | None = None,
) -> bool:
    """Compresses sound files.

    Args:
        inputs: files and folders.
        output: a file name for a single input, or a folder.
        store: with the model.
        kbps: rate in kbit/s.
        constant: whether each frame keeps to it.
        force: whether to replace outputs that exist.
        json_file: where to write a report, if anywhere.

    Returns:
        whether all could be compressed.
    """
    _check_output(inputs, output, (SUFFIX,))
    task = CompressSpeech(store, force, kbps=DEFAULT_RATE if kbps is None else kbps, constant=constant)
    return _run(plan(inputs, output, READABLE_AUDIO, SUFFIX), task, "encode", json_file)


def decode_speech(
    inputs: Sequence[Path],
    output: Path | None,
    store: ModelStore,
    suffix: str,
    force: bool,
    json_file: str | None = None,
) -> bool:
    """Decompresses .vqs files to sound files.

    Args:
        inputs: files and folders.
        output: a file name for a single input, or a folder.
        store: with the model.
        suffix: type of the sound files where `output` does not name one.
        force: whether to replace outputs that exist.
        json_file: where to write a report, if anywhere.

    Returns:
        whether all could be decompressed.
    """
    _check_output(inputs, output, READABLE_AUDIO)
    return _run(plan(inputs, output, {SUFFIX}, suffix), DecompressSpeech(store, force), "decode", json_file)


def _check_output(inputs: Sequence[Path], output: Path | None, suffixes: Collection[str]) -> None:
    """Raises UsageError where the output names a file of another type, or one file for several inputs."""
    if output is None or output.is_dir() or output.suffix.lower() not in (SUFFIX, *READABLE_AUDIO, *OURS, *READABLE):
        return
    if output.suffix.lower() not in suffixes:
        raise UsageError(f"-o {output}: of a wrong type: name a folder, or a file of type {', '.join(suffixes)}")
    if len(inputs) > 1 or inputs[0].is_dir():
        raise UsageError(f"-o {output} names one file, but the inputs are several: name a folder")


def _run(what: Plan, task: FileTask, command: str, json_file: str | None) -> bool:
    return run_files(what, task, 1, _describe, command, json_file)


def _describe(result: FileResult | SpeechFileResult) -> str:
    """The line about a file that was compressed, decompressed or kept."""
    if isinstance(result, FileResult):
        return describe_kept(result)
    line = f"{result.source} → {result.target}: {result.samples / SAMPLE_RATE:.2f} s"
    if result.target.suffix.lower() != SUFFIX:
        return line
    return ", ".join(
        [line, f"{result.bytes} bytes", f"{_kbps(result.bytes, result.samples):.2f} kbit/s", *result.changes]
    )


def evaluate_speech(path: Path, store: ModelStore, against: str | None, json_file: str | None) -> bool:
    """Measures our codec, and others, on sound files at the paper's rates; prints the figures and writes them as JSON.

    Args:
        path: a sound file or a folder.
        store: with the model.
        against: the other coders, with commas between.
        json_file: where to write all figures, if anywhere; `-` for standard output, instead of a table.

    Returns:
        whether all could be measured.
    """
    codec = store.speech
    coders: list[SpeechCoder] = [OurSpeech(codec, constant=False), OurSpeech(codec, constant=True)]
    coders += reference_coders(against.split(",") if against else [])
    results: list[SpeechResult] = []

    def work(file: Path) -> None:
        samples = read_audio(file, SAMPLE_RATE).samples
        with errors_of(file):
            results.extend(list(measure_speech(coders, str(file), samples, RATES)))  # of a file, all or none

    found = find_files(path, READABLE_AUDIO)
    say_skipped({found.root: found.skipped} if found.skipped else {})
    failed = run_each(found.files, work)
    report = {"summary": summarise_speech(results), "results": [result._asdict() for result in results]}
    publish("eval", report, json_file, failed, partial(_print_report, report) if results else None)
    return not failed


def _print_report(report: dict[str, Any]) -> None:
    columns = ["kbps", "pesq", "pesq_low", "pesq_high", "stoi", "psnr"]
    print_table(
        ["codec", "kbit/s", *columns],
        (
            [row["coder"], number(row["target"], "g"), *(number(row[column]) for column in columns)]
            for row in report["summary"]
        ),
    )


def describe_speech(path: Path) -> dict[str, Any]:
    """The facts of a .vqs file, by name; all of it is read, if the bundled model made it.

    Raises:
        BitstreamError: it is none, or damaged.
    """
    data = path.read_bytes()
    with errors_of(path):
        header = read_header(data)
        model = _find_model(data)
    return {
        "file": str(path),
        "version": header.version,
        "samples": header.samples,
        "seconds": header.samples / SAMPLE_RATE,
        "frames": frame_count(header.samples),
        "model": model,
        "model_id": header.hint.hex(),
        "rate": "constant" if header.constant else "average",
        "step": header.step,
        "bytes": len(data),
        "payload_bytes": len(data) - header.bytes - CHECKSUM_BYTES,
        "kbps": _kbps(len(data), header.samples),
    }


def _find_model(data: bytes) -> str | None:
    """The bundled model that made a file; None for another one, whose files cannot be checked without it."""
    codec = ModelStore().speech
    try:
        container = unpack_speech(data, codec.model_id)
    except UnknownModelError:
        return None
    for _ in codec.read(container):
        pass
    return SPEECH


def _kbps(size: int, samples: int) -> float:
    return 8 * size * SAMPLE_RATE / samples / 1000
