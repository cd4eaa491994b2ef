"""Many images through every command, and kills: `python -m benchmarks.soak --images 20000 --kills 20`.

Images of CIFAR10's size and photographs of many sizes are cut from those of scikit-image: no data set is needed.
`encode`, `decode`, `encode --archive`, `decode` of the archive and `eval` run as programs of their own, whose memory,
file descriptors and threads are read from /proc all the while (Linux). Then `encode` and `encode --archive` are killed
at random moments and run again, until they come to their end: what they leave must be, byte for byte, what they write
without being killed. `--record` writes benchmarks/results/soak.json, for docs/results.md.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vqvae.data.sample import load_photo
from vqvae.formats.vqa.reader import Archive

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "soak.json"
NAMES = ("astronaut", "coffee")
INTERVAL_S = 0.5  # between two looks at a process
PAGE_BYTES = 4096


@dataclass
class Watched:
    """A command that ran to its end.

    Attributes:
        command: in words.
        images: how many it worked on.
        exit_code: 0 where all went well.
        seconds: that it took.
        memory_mb: resident, at the middle of its run, at its end, and at most.
        descriptors, threads: at the middle, at the end, and at most.
    """

    command: str
    images: int
    exit_code: int
    seconds: float
    memory_mb: tuple[float, float, float]
    descriptors: tuple[float, float, float]
    threads: tuple[float, float, float]


def lay(folder: Path, images: int, photographs: int, draw: random.Random) -> None:
    """Writes images of 32×32 and photographs of 40 to 400 pixels a side."""
    folder.mkdir()
    photos = [load_photo(name).permute(1, 2, 0).numpy() for name in NAMES]
    for number in range(images + photographs):
        photo = draw.choice(photos)
        height, width = (32, 32) if number < images else (draw.randint(40, 400), draw.randint(40, 400))
        top, left = (draw.randint(0, side - part) for side, part in zip(photo.shape, (height, width), strict=False))
        part = np.ascontiguousarray(photo[top : top + height, left : left + width])
        Image.fromarray(part).save(folder / f"{number:06}.png", compress_level=1)


def command(*arguments: object) -> list[str]:
    """The program with these arguments."""
    return [sys.executable, str(ROOT / "compress.py"), *map(str, arguments)]


def watch(name: str, images: int, arguments: Sequence[object]) -> Watched:
    """Runs a command, and looks at it all the while."""
    began, seen = time.monotonic(), []
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        seen += list(look(process.pid))
        time.sleep(INTERVAL_S)
    seconds = round(time.monotonic() - began, 1)
    columns = list(zip(*seen, strict=True)) or [(0,)] * 3
    memory, descriptors, threads = ((col[len(col) // 2], col[-1], max(col)) for col in columns)
    return Watched(name, images, process.returncode, seconds, memory, descriptors, threads)


def look(pid: int) -> Iterator[tuple[float, float, float]]:
    """Memory in MB, descriptors and threads of a process; nothing where it has ended."""
    place = Path("/proc", str(pid))
    try:
        memory = int((place / "statm").read_text().split()[1]) * PAGE_BYTES / 1e6
        yield round(memory, 1), len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))
    except OSError:
        return


def kill_and_run_again(arguments: Sequence[object], kills: int, longest: float, draw: random.Random) -> int:
    """Kills a command some times, at a random moment each, and then lets it end; how often it was still running."""
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    subprocess.run(command(*arguments), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return killed


def soak(folder: Path, images: int, photographs: int, draw: random.Random) -> list[Watched]:
    """All commands on all images."""
    lay(folder / "in", images, photographs, draw)
    total = images + photographs
    archive = folder / "whole.vqa"
    runs: list[tuple[str, Sequence[object]]] = [
        ("encode", ("encode", folder / "in", "-o", folder / "small")),
        ("decode", ("decode", folder / "small", "-o", folder / "back")),
        ("encode --archive", ("encode", folder / "in", "--archive", archive, "--model", "cifar10-rvq-16")),
        ("decode of an archive", ("decode", archive, "-o", folder / "unpacked")),
        ("eval", ("eval", folder / "in", "--json", folder / "report.json")),
    ]
    found = [watch(name, total, arguments) for name, arguments in runs]
    for name in ("small", "back", "unpacked"):
        assert len(list((folder / name).iterdir())) == total, name
    return found


def kill(folder: Path, kills: int, seconds: float, draw: random.Random) -> dict[str, int]:
    """Kills the encoder of files and the one of an archive, and compares what is left in the end with `soak`'s."""
    files, path = folder / "killed", folder / "killed.vqa"
    of_files = kill_and_run_again(("encode", folder / "in", "-o", files), kills, seconds, draw)
    whole = {one.name: one.read_bytes() for one in (folder / "small").iterdir()}
    left = {one.name: one.read_bytes() for one in files.iterdir() if not one.name.endswith(".part")}
    assert left == whole, "files differ from those of a run that was not killed"
    archive = ("encode", folder / "in", "--archive", path, "--model", "cifar10-rvq-16")
    of_archives = kill_and_run_again(archive, kills, seconds, draw)
    kept, expected = ({entry.name: entry for entry in Archive(one)} for one in (path, folder / "whole.vqa"))
    assert kept == expected, "the archive differs from one that was not killed"
    return {
        "files": of_files,
        "archives": of_archives,
        "temporary files left": len(list(files.glob("*.part")) + list(files.glob(".*.part"))),
    }


def main() -> None:
    """Prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = soak(folder, options.images, options.photographs, draw)
        for row in rows:
            print(row, flush=True)
        kills = kill(folder, options.kills, rows[0].seconds, draw) if options.kills else {}
    print(f"killed while running, and nothing lost: {kills}")
    if options.record:
        result = {
            "images": options.images,
            "photographs": options.photographs,
            "seed": options.seed,
            "commands": [asdict(row) for row in rows],
            "kills": kills,
        }
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
