"""Writes docs/results.md from benchmarks/results/: python -m benchmarks.report.

`models/*.json` are what `vqvae eval … --json FILE` wrote, without `per_image`, plus `about`: how it was measured.
`python -m benchmarks.report --add REPORT.json --about "machine, date, command"` puts one there; what was measured
`--against` other codecs becomes `kodak.json`, for `benchmarks.kodak`. The paper's experiments are collected from the
folders of their sweeps, by `--collect outputs/cifar10` and so on. The others are written by `benchmarks.entropy`,
`benchmarks.quantizers`, `benchmarks.estimators` and `benchmarks.complexity`.
"""

import argparse
import json
from collections.abc import Callable
from math import log10
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.kodak import kodak
from benchmarks.paper import EXPERIMENTS
from benchmarks.paper.common import PUBLISHED, Section, collect, method_of, published_psnr
from vqvae.models.file import ModelFile, read_model
from vqvae.models.store import find_model

RESULTS = Path(__file__).parent / "results"
MODELS = RESULTS / "models"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"

HEAD = """# Results

Written by `python -m benchmarks.report` from `benchmarks/results/`.

# Models

PSNR of 8-bit RGB in dB: `psnr_dataset` is of the mean squared error over all pixels, `psnr_mean` the mean of the
images' PSNR. Bits per pixel are counted on real files; the payload is the file without its header and checksum. Seconds
are means per image, in a running process.
"""

SEARCHES = """
# Quantisers: search

Median milliseconds to encode 4,096 vectors of dimension 64 with 4 codebooks of K codewords, and the mean squared error:
everyone in one process, with the same vectors and codebooks (trained by our residual and product VQ). "faiss, tables"
is its option `use_beam_LUT`, faster than what it does by itself. The peers of additive VQ are the beam searches of
residual VQ, as nobody else has additive VQ. Measured by `python -m benchmarks.quantizers`.
"""

TRAININGS = """
# Quantisers: fitting codebooks

Codebooks of 256 trained on 16,384 vectors by everyone's own method; the error is on 4,096 others. By the same command.
"""

ENTROPY = """
# Entropy coding

Bytes of the indices that the bundled model gives, each image coded alone and by fixed width where that is shorter; LZMA
and bzip2 are given the indices of all images at fixed width in one go. The histogram was fitted to the first 10,000
CIFAR10 training images; the context model is the one in the model file. Kodak was never trained on. Measured by
`OMP_NUM_THREADS=1 python -m benchmarks.entropy`.
"""

ENTROPY_TIMES = """
Milliseconds an image for coding the indices, on one core:
"""

STAGES = """
Progressive files of Kodak, cut after each stage (payload alone; dB):
"""

FUZZING = """
# Hostile inputs

Sound inputs that were changed and then read as the programs read them: compressed files with checksums of zero, up to
indices or samples; model files, up to an image or a recording there and back; image files of 22 formats, written as PNG
and read again; command lines, with real and hostile files and options. Each was accepted, with a result that holds
together, or refused in one line by an error of the project's own; a fault is anything else. Faults that were found were
mended, with a test each. The four of model files are of a run that also counted models that load, but with which
encoding ends in an error of the project's own (weights too large to compute with, tables that no rate suffices for);
this now counts as refused. Run by `python -m benchmarks.fuzz DOOR --count N --seed SEED --record`; the guided ones,
whose changes follow what they reach, by `python -m benchmarks.fuzz.guided`.
"""

SOAK = """
# Soak

Each command as one process on many images; memory (MB, resident), file descriptors and threads at the middle of its
run, at its end, and at most; then killed at random moments and run again. Run by `python -m benchmarks.soak --record`.
"""

ESTIMATORS = """
# Estimators

PSNR (dB) and SSIM on the 10,000 CIFAR10 test images: one codebook of 11 bits, the same small network and the same
batches for all; mean of the seeds, and their lowest and highest PSNR. Measured by `python -m benchmarks.estimators`;
one training is `python train.py experiment=estimators estimator=NAME seed=SEED`. The published figures come from
another network and a longer training, so that only the order compares.
"""

COMPLEXITY = """
# Complexity

log10 of WMOPS for one vector a second (D = 64, M = 4, beam 16): as published, where residual and product VQ are one
stage short, and corrected; and the microseconds that a vector takes with our searches, 4,096 at a time. Measured by
`python -m benchmarks.complexity`.
"""


def add(report: Path, about: str) -> None:
    """Keeps the summary of an evaluation, without its single images, or the curves of a comparison."""
    result = json.loads(report.read_text())
    path = RESULTS / "kodak.json" if "codecs" in result else MODELS / f"{result['model']}-{report.stem}.json"
    for key in ("per_image", "command", "program", "errors"):
        result.pop(key, None)
    path.write_text(json.dumps({**result, "about": about}, indent=1) + "\n")


def section(path: Path) -> str:
    """One result as a heading, a table, and how it came about."""
    result = json.loads(path.read_text())
    name = result["model"]
    model = read_model(find_model(name))
    lines = [f"\n## {path.stem}\n", "| figure | value |", "|---|---|"]
    for key, value in result.items():
        if key not in ("about", "model"):
            lines.append(f"| {key} | {value if isinstance(value, int) else format(value, '.4f')} |")
    if path.stem == f"{name}-cifar10":
        theirs = published_psnr(*method_of(model.config["quantizer"]))
        lines.append(f"| psnr_dataset of the paper, at the same bits a vector | {theirs:.2f} |")
    lines.append(f"\n{result['about']}")
    lines.append(f"\nThe model: {training(model)}")
    return "\n".join(lines) + "\n"


def training(model: ModelFile) -> str:
    """How a model was trained, in a sentence for each training of its network and one for its entropy model."""
    notes, entropy = model.about, model.config["entropy"]
    sentences = []
    while True:
        if notes["steps"]:
            sentences.append(described(notes))
        if "weights" not in notes:
            break
        notes = notes["weights"]["about"]  # it began with those of another
    steps, batch, rate = (entropy[key] for key in ("steps", "batch", "learning_rate"))
    fitted = f"{steps} batches of {batch} vectors, learning rate {rate} in one cycle"
    if "entropy" in model.about:
        fitted = model.about["entropy"]["batches"]
    return f"{' Before that: '.join(sentences)} The entropy model: {fitted}."


def described(notes: dict[str, Any]) -> str:
    """One training."""
    settings = notes["training"]
    optimizer = settings["optimizer"]["optimizer"]
    decay = settings["callbacks"]["average"]["decay"]
    return (
        f"{notes['steps']} batches of {settings['data']['batch_size']}, {estimators_of(settings)}, "
        f"{class_name(optimizer)}, learning rate {optimizer['lr']} in one cycle, averaged weights (decay {decay}), "
        f"seed {settings['seed']}."
    )


def estimators_of(settings: dict[str, Any]) -> str:
    """The estimator of a training, or the two of a schedule; early model files have the second among the callbacks."""
    first, finish = settings["estimator"], settings["callbacks"].get("finish")
    if "then" in first:
        first, finish = first["first"], {"start": first["start"], "estimator": first["then"]}
    if not finish:
        return class_name(first)
    return (
        f"{class_name(first)} for the first {finish['start']:.1%} and {class_name(finish['estimator'])} from there on"
    )


def class_name(config: dict[str, Any]) -> str:
    """The class that a config names, without its module."""
    return config["_target_"].rsplit(".", 1)[1]


def table(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys, as Markdown."""
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0])]
    for row in rows:
        lines.append(" | ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def quantizers() -> str:
    """What benchmarks.quantizers measured."""
    result = json.loads((RESULTS / "quantizers.json").read_text())
    searches, trainings = table(result["search"]), table(result["training"])
    return f"{SEARCHES}\n{searches}\n{result['about']}\n{TRAININGS}\n{trainings}"


def entropy() -> str:
    """What benchmarks.entropy measured."""
    result = json.loads((RESULTS / "entropy.json").read_text())
    sizes, times, stages = (table(result[key]) for key in ("bytes", "times", "stages"))
    return f"{ENTROPY}\n{sizes}\n{ENTROPY_TIMES}\n{times}\n{STAGES}\n{stages}\n{result['about']}\n"


def fuzzing() -> str:
    """What benchmarks.fuzz was run on."""
    return f"{FUZZING}\n{table(json.loads((RESULTS / 'fuzz.json').read_text()))}"


def soak() -> str:
    """What benchmarks.soak saw, if it has been run."""
    path = RESULTS / "soak.json"
    if not path.exists():
        return ""
    result = json.loads(path.read_text())
    rows = [
        {key: " / ".join(map(str, value)) if isinstance(value, list) else value for key, value in row.items()}
        for row in result["commands"]
    ]
    kills = ", ".join(f"{name}: {number}" for name, number in result["kills"].items())
    return f"{SOAK}\n{table(rows)}\nKilled while running, and nothing lost: {kills}.\n"


def estimators() -> str:
    """What benchmarks.estimators reached, best first."""
    result = json.loads((RESULTS / "estimators.json").read_text())
    rows = []
    for name, runs in result["runs"].items():
        psnr = [run["psnr_dataset"] for run in runs]
        rows.append(
            {
                "estimator": name,
                "PSNR": f"{mean(psnr):.2f}",
                "lowest to highest": f"{min(psnr):.2f} to {max(psnr):.2f}",
                "SSIM": f"{mean(run['ssim'] for run in runs):.4f}",
                "seeds": len(runs),
                "published PSNR": PUBLISHED["cifar10_single_codebook"]["psnr_db"].get(name.upper(), ""),
            }
        )
    rows.sort(key=lambda row: row["PSNR"], reverse=True)
    first = next(iter(result["runs"].values()))[0]
    settings, optimizer = first["training"], first["training"]["optimizer"]["optimizer"]
    how = (
        f"{first['steps']} batches of {settings['data']['batch_size']}, {class_name(optimizer)}, "
        f"learning rate {optimizer['lr']} in one cycle, codebooks started by k-means, unused "
        f"codewords replaced, averaged weights. {result['about']}"
    )
    return f"{ESTIMATORS}\n{table(rows)}\n{how}\n"


def complexity() -> str:
    """What benchmarks.complexity counted and measured."""
    result = json.loads((RESULTS / "complexity.json").read_text())
    rows = [
        {
            "method": row["method"],
            "bits": row["bits"],
            "published": f"{log10(row['published']):.4f}",
            "corrected": f"{log10(row['corrected']):.4f}",
            "µs": row["microseconds"],
        }
        for row in result
    ]
    return f"{COMPLEXITY}\n{table(rows)}"


def experiment(name: str, section_of: Callable[[Any], Section]) -> str:
    """One of the paper's experiments, or the comparison on Kodak, if it has been run."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return ""
    heading, rows, notes = section_of(json.loads(path.read_text()))
    return f"{heading}\n{table(rows)}\n{notes}\n"


def main() -> None:
    """Adds a result, where one is given, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collect", type=Path, help="folder of a sweep of one of the paper's experiments")
    parser.add_argument("--add", type=Path, help="what `vqvae eval … --json` wrote")
    parser.add_argument("--about", default="", help="how it was measured")
    arguments = parser.parse_args()
    if arguments.add:
        add(arguments.add, arguments.about)
    if arguments.collect:
        rows = collect(arguments.collect)
        (RESULTS / f"{arguments.collect.name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    models = "".join(section(path) for path in sorted(MODELS.glob("*.json")))
    experiments = "".join(experiment(*item) for item in {"kodak": kodak, **EXPERIMENTS}.items())
    PAGE.write_text(
        HEAD + models + experiments + entropy() + fuzzing() + soak() + quantizers() + estimators() + complexity()
    )


if __name__ == "__main__":
    main()
