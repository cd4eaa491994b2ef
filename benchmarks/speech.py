"""Our speech codec beside Opus on a folder of recordings, at the paper's six rates; goes on where it stopped.

python -m benchmarks.speech FOLDER --json results/speech.json [--against opus,lc3] [--model NAME] [--rates 8,13.2]
"""

import argparse
import json
from pathlib import Path

from vqvae.bulk.plan import find_files
from vqvae.evaluation.speech import RATES, SpeechResult, measure_speech, summarise_speech
from vqvae.evaluation.speech_coders import OurSpeech, SpeechCoder, reference_coders
from vqvae.media.atomic import atomic_path
from vqvae.media.audio import READABLE_AUDIO, read_audio
from vqvae.models.speech import load_speech
from vqvae.models.store import find_speech_model
from vqvae.speech.mdct import SAMPLE_RATE


def main() -> None:
    """Measures what is missing in the JSON file, coder by coder and rate by rate, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--against", default="", help="of opus,lc3")
    parser.add_argument("--model", default="speech")
    parser.add_argument("--rates", default=",".join(f"{rate:g}" for rate in RATES))
    arguments = parser.parse_args()
    codec = load_speech(find_speech_model(arguments.model))
    coders: list[SpeechCoder] = [OurSpeech(codec, constant=False), OurSpeech(codec, constant=True)]
    coders += reference_coders(name for name in arguments.against.split(",") if name)
    model_id = codec.model_id.hex()
    results = _read(arguments.json, model_id)
    done = {(result.name, result.coder, result.target) for result in results}
    paths = find_files(arguments.folder, READABLE_AUDIO).files
    for coder in coders:
        for rate in map(float, arguments.rates.split(",")):
            for path in paths:
                if (path.name, coder.name, rate) not in done:
                    samples = read_audio(path, SAMPLE_RATE).samples
                    results += measure_speech([coder], path.name, samples, [rate])
                    _write(arguments.json, model_id, results)
            print(f"{coder.name} {rate:g}", flush=True)
    for row in summarise_speech(results):
        figures = "  ".join(f"{row[name]:.3f}" for name in ("kbps", "pesq", "pesq_low", "pesq_high", "stoi", "psnr"))
        print(f"{row['coder']:16} {row['target']:5g}  {figures}")


def _read(path: Path, model_id: str) -> list[SpeechResult]:
    """What was measured before; of our codec only with the same model."""
    if not path.is_file():
        return []
    report = json.loads(path.read_text())
    results = [SpeechResult(**result) for result in report["results"]]
    return [one for one in results if report["model"] == model_id or not one.coder.startswith("speech")]


def _write(path: Path, model_id: str, results: list[SpeechResult]) -> None:
    report = {
        "model": model_id,
        "summary": summarise_speech(results),
        "results": [result._asdict() for result in results],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
