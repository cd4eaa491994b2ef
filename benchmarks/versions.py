"""Speed of two checkouts side by side: python -m benchmarks.versions OLD [--new NEW] [--photo FILE] [--data FOLDER].

Each case is run by the old and the new version in turn, so that a busy machine slows both; the minimum over repeats
counts. Encoding and decoding are timed by `eval` within the process, all other cases from the shell. Both versions run
in the present environment.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from vqvae.cli.tables import print_table
from vqvae.data.cifar10 import load_cifar10

HERE = Path(__file__).parents[1]
SMALL_IMAGES = 1000
COPIES = 3  # of the photograph, as the first one includes compilation

Times = dict[str, float]


def run(checkout: Path, *arguments: object) -> float:
    """Seconds of a command of a checkout."""
    command = [sys.executable, str(checkout / "compress.py"), *map(str, arguments)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(checkout)})
    return time.perf_counter() - start


def shell(arguments: list[object], checkout: Path, folder: Path) -> Times:
    """Seconds of a command that writes to a new folder."""
    output = [] if arguments == ["--help"] else ["-o", folder / "out"]
    return {" ".join(Path(str(one)).name for one in arguments): run(checkout, *arguments, *output)}


def evaluated(photos: Path, checkout: Path, folder: Path) -> Times:
    """Seconds to encode and to decode a photograph, without the start of the program."""
    report = folder / "report.json"
    run(checkout, "eval", photos, "--json", report)
    images = json.loads(report.read_text())["per_image"]
    return {f"{name} a photograph": min(image[f"{name}_s"] for image in images) for name in ("encode", "decode")}


def prepare(folder: Path, photo: Path, data: Path) -> list[Callable[[Path, Path], Times]]:
    """Writes the inputs, and returns the cases."""
    photos, small = folder / "photos", folder / "small"
    for each in (photos, small):
        each.mkdir()
    for number in range(COPIES):
        shutil.copy(photo, photos / f"{number}{photo.suffix}")
    images = load_cifar10(data, train=False)[:SMALL_IMAGES].permute(0, 2, 3, 1).numpy()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(small / f"{number:04}.png")
    commands: list[list[object]] = [["--help"], ["encode", small / "0000.png"], ["encode", small]]
    return [partial(evaluated, photos), *(partial(shell, command) for command in commands)]


def main() -> None:
    """Prints the minimum seconds of both versions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("--new", type=Path, default=HERE)
    parser.add_argument("--photo", type=Path, default=Path("data/kodak/kodim23.png"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder that holds CIFAR10")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    best: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        for case in prepare(Path(folder), arguments.photo, arguments.data):
            for _ in range(arguments.repeats):
                for place, checkout in enumerate((arguments.old, arguments.new)):
                    with TemporaryDirectory() as outputs:
                        for name, seconds in case(checkout.resolve(), Path(outputs)).items():
                            pair = best.setdefault(name, [float("inf")] * 2)
                            pair[place] = min(pair[place], seconds)
    rows = [[name, f"{old:.3f}", f"{new:.3f}", f"{new / old:.2f}"] for name, (old, new) in best.items()]
    print_table(["case", "old, s", "new, s", "new / old"], rows)


if __name__ == "__main__":
    main()
