"""Writes docs/results.md from benchmarks/results/*.json: python -m benchmarks.report.

Each JSON file is what `vqvae eval … --json FILE` wrote, without `per_image`, plus `about`: how it was measured.
`python -m benchmarks.report --add REPORT.json --about "machine, date, command"` puts one there.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from vqvae.model_file import read_model
from vqvae.pretrained import find_model

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
PAPER_PSNR = {"cifar10-rvq-16": 24.66}  # dB: Vali and Bäckström, ICASSP 2023, residual VQ at 16 bits, mean of 10 runs

HEAD = """# Results

Written by `python -m benchmarks.report` from `benchmarks/results/`. PSNR of 8-bit RGB in dB: `psnr_dataset` is of the
mean squared error over all pixels, `psnr_mean` the mean of the images' PSNR. Bits per pixel are counted on real files;
the payload is the file without its header and checksum. Seconds are means per image, in a running process.
"""


def add(report: Path, about: str) -> None:
    """Keeps the summary of an evaluation, without its single images."""
    result = json.loads(report.read_text())
    result.pop("per_image")
    name = f"{result['model']}-{report.stem}.json"
    (RESULTS / name).write_text(json.dumps({**result, "about": about}, indent=1) + "\n")


def section(path: Path) -> str:
    """One result as a heading, a table, and how it came about."""
    result = json.loads(path.read_text())
    name = result["model"]
    notes = read_model(find_model(name)).about
    lines = [f"\n## {path.stem}\n", "| figure | value |", "|---|---|"]
    for key, value in result.items():
        if key not in ("about", "model"):
            lines.append(f"| {key} | {value if isinstance(value, int) else format(value, '.4f')} |")
    if name in PAPER_PSNR and "cifar10" in path.stem.removeprefix(name):
        lines.append(f"| psnr_dataset of the paper, at the same bits a vector | {PAPER_PSNR[name]:.2f} |")
    lines.append(f"\n{result['about']}")
    lines.append(f"\nThe model: {training(notes)}")
    return "\n".join(lines) + "\n"


def training(notes: dict[str, Any]) -> str:
    """How a model was trained, in a sentence."""
    settings = notes["training"]
    optimizer, finish = settings["optimizer"]["optimizer"], settings["callbacks"].get("finish")
    estimator = class_name(settings["estimator"])
    if finish:
        estimator += f" for the first {finish['start']:.1%} and {class_name(finish['estimator'])} from there on"
    decay = settings["callbacks"]["average"]["decay"]
    return (
        f"{notes['steps']} batches of {settings['data']['batch_size']}, {estimator}, {class_name(optimizer)}, "
        f"learning rate {optimizer['lr']} in one cycle, averaged weights (decay {decay}), seed {settings['seed']}."
    )


def class_name(config: dict[str, Any]) -> str:
    """The class that a config names, without its module."""
    return config["_target_"].rsplit(".", 1)[1]


def main() -> None:
    """Adds a result, where one is given, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", type=Path, help="what `vqvae eval … --json` wrote")
    parser.add_argument("--about", default="", help="how it was measured")
    arguments = parser.parse_args()
    if arguments.add:
        add(arguments.add, arguments.about)
    PAGE.write_text(HEAD + "".join(section(path) for path in sorted(RESULTS.glob("*.json"))))


if __name__ == "__main__":
    main()
