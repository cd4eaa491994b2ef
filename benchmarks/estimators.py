"""Trains one network with every estimator and three seeds, and writes a table: python -m benchmarks.estimators.

CIFAR10, one codebook of 11 bits; everything but the estimator and the seed is the same. Each training is a run of
train.py in its own folder. One that has ended is not run again, so that the command can be stopped and started.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.report import RESULTS
from vqvae.models.file import read_model

TRAIN = Path(__file__).parents[1] / "train.py"
VARIANTS = {
    "nsvq": "",
    "nsvq_diveq": "",
    "nsvq_diveq, variance 0.001": "estimator.then.variance=1e-3",
    "diveq": "",
    "diveq, variance 0": "estimator.variance=0",
    "rotation": "",
    "ema": "",
    "ste": "",
}


def train(variant: str, seed: int, folder: Path, options: list[str]) -> dict[str, Any]:
    """What one training reached, and how it was run."""
    output = folder / f"{variant.replace(', ', '-').replace(' ', '-')}-{seed}"
    model = output / "model.safetensors"
    if not model.exists():
        estimator = variant.partition(",")[0]
        command = ["experiment=estimators", f"estimator={estimator}", f"seed={seed}", f"hydra.run.dir={output}"]
        command += ["~callbacks.progress", "~callbacks.learning_rate", *VARIANTS[variant].split(), *options]
        subprocess.run([sys.executable, str(TRAIN), *command], check=True, stdout=subprocess.DEVNULL)
    about = read_model(model).about
    return {"seed": seed, "steps": about["steps"], "training": about["training"], **about["test"]}


def main() -> None:
    """Trains what is missing and writes the results after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("outputs/estimators"))
    parser.add_argument("--json", type=Path, default=RESULTS / "estimators.json")
    parser.add_argument("--about", default="", help="on what machine")
    parser.add_argument("options", nargs="*", help="more options of train.py, such as data.root=data")
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {}
    for seed in range(arguments.seeds):
        for variant in track(VARIANTS, f"seed {seed}"):
            runs.setdefault(variant, []).append(train(variant, seed, arguments.folder, arguments.options))
            arguments.json.write_text(json.dumps({"about": arguments.about, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
