"""Our speech codec beside Opus on a folder of recordings, at the paper's six rates; goes on where it stopped.

python -m benchmarks.speech FOLDER --json results/speech.json [--against opus,lc3] [--rates 8,13.2] [--files 20]
python -m benchmarks.speech FOLDER --json results/speech_quantizers.json --modes average --models MODEL_FILE ...

Recordings of different speakers come first, so that whenever it is stopped, what was measured is spread over speakers.
A name is that of LibriSpeech, where the speaker comes before the first hyphen.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from vqvae.bulk.plan import find_files
from vqvae.evaluation.speech import RATES, SpeechResult, measure_speech, summarise_speech
from vqvae.evaluation.speech_coders import OurSpeech, SpeechCoder, reference_coders
from vqvae.media.atomic import atomic_path
from vqvae.media.audio import READABLE_AUDIO, read_audio
from vqvae.models.speech import load_speech
from vqvae.models.store import find_model
from vqvae.speech.mdct import SAMPLE_RATE

MODES = {"average": False, "constant": True}


def main() -> None:
    """Measures what is missing in the JSON file, recording by recording, and prints a table."""
    arguments = _arguments()
    codecs = {Path(name).stem: load_speech(find_model(name)) for name in arguments.models}
    ours = [
        OurSpeech(codec, MODES[mode], model) for model, codec in codecs.items() for mode in arguments.modes.split(",")
    ]
    ids = {coder.name: coder.codec.model_id.hex() for coder in ours}
    coders: list[SpeechCoder] = [*ours, *reference_coders(name for name in arguments.against.split(",") if name)]
    rates = [float(rate) for rate in arguments.rates.split(",")]
    results, earlier_ids = _read(arguments.json, ids)
    done = {(result.name, result.coder, result.target) for result in results}
    for path in islice(_by_turns(find_files(arguments.folder, READABLE_AUDIO).files), arguments.files):
        samples = read_audio(path, SAMPLE_RATE).samples
        for coder in coders:
            missing = [rate for rate in rates if (path.name, coder.name, rate) not in done]
            results += measure_speech([coder], path.name, samples, missing)
        _write(arguments.json, earlier_ids | ids, results, arguments.about)
        print(path.name, flush=True)
    for row in summarise_speech(results):
        figures = "  ".join(f"{row[name]:.3f}" for name in ("kbps", "pesq", "pesq_low", "pesq_high", "stoi", "psnr"))
        print(f"{row['coder']:28} {row['target']:5g} {row['recordings']:3}  {figures}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--against", default="", help="of opus,lc3")
    parser.add_argument("--models", nargs="*", default=["speech"], help="names of bundled models, or model files")
    parser.add_argument("--modes", default=",".join(MODES), help="of average,constant")
    parser.add_argument("--rates", default=",".join(f"{rate:g}" for rate in RATES), help="in kbit/s")
    parser.add_argument("--about", default="", help="on which recordings and machine")
    parser.add_argument("--files", type=int, help="how many recordings; all by default")
    return parser.parse_args()


def _by_turns(paths: Iterable[Path]) -> list[Path]:
    """The first recording of each speaker, the second of each, and so on."""
    seen, turns = Counter[str](), {}
    for path in sorted(paths):
        speaker = path.name.split("-")[0]
        turns[path] = seen[speaker]
        seen[speaker] += 1
    return sorted(turns, key=lambda path: (turns[path], path))


def _read(path: Path, ids: dict[str, str]) -> tuple[list[SpeechResult], dict[str, str]]:
    """What was measured before, but for coders whose model is another one now, and the ids of the models then."""
    if not path.is_file():
        return [], {}
    report = json.loads(path.read_text())
    earlier, results = report["models"], [SpeechResult(**result) for result in report["results"]]
    return [one for one in results if ids.get(one.coder) in (None, earlier.get(one.coder))], earlier


def _write(path: Path, ids: dict[str, str], results: list[SpeechResult], about: str) -> None:
    report = {
        "models": ids,
        "about": about,
        "summary": summarise_speech(results),
        "results": [result._asdict() for result in results],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
