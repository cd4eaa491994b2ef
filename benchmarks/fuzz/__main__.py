"""Hostile inputs by the million: `python -m benchmarks.fuzz DOOR --count 10000 --seed 1`.

Doors are `vqz`, `vqa`, `vqs` (compressed files), `model`, `image` and `arguments` (command lines). Sound inputs are
changed, and read as the programs read them. Whatever comes of one must be a result that holds together, or an error of
the project's own in one line: anything else is a fault, of which the first input of each kind is kept in a file, to be
tried again by `--replay FILE`. `--record` keeps the counts in benchmarks/results/fuzz.json, for docs/results.md.
"""

import argparse
import faulthandler
import json
import logging
import math
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz.door import Door

TIMEOUT_S = 300  # of an input, on a machine that may be busy
MEMORY = Path("/dev/shm")  # where it is there, a folder in which small files are written fast
RESULTS = Path(__file__).parents[1] / "results" / "fuzz.json"


class Report(NamedTuple):
    """What came of inputs.

    Attributes:
        outcomes: how many were accepted, refused or faults, by kind.
        faults: the first input of each fault, by what was raised and where.
    """

    outcomes: dict[str, Counter[str]]
    faults: dict[str, tuple[str, bytes]]


def open_door(name: str, folder: Path) -> Door:
    """The door of a name; imports what it needs."""
    if name in ("vqz", "vqa", "vqs"):
        from benchmarks.fuzz import containers

        return {"vqz": containers.Vqz, "vqa": containers.Vqa, "vqs": containers.Vqs}[name](folder)
    if name == "model":
        from benchmarks.fuzz.models import Models

        return Models(folder)
    if name == "image":
        from benchmarks.fuzz.images import Images

        return Images(folder)
    from benchmarks.fuzz.arguments import Arguments

    return Arguments(folder)


def fuzz(door: Door, seed: int, count: int, seconds: float) -> Report:
    """Tries so many inputs, or those of so many seconds. One that crashes or hangs Python ends it."""
    report, armed, end = Report({}, {}), 0.0, time.monotonic() + seconds
    current = door.folder.with_suffix(".current")
    for number, (kind, data) in enumerate(islice(door.inputs(seed), count)):
        if time.monotonic() > armed + 1:
            current.write_text(f"between inputs {number} and those of the next second\n")
            faulthandler.dump_traceback_later(TIMEOUT_S, exit=True)
            armed = time.monotonic()
            if armed > end:
                break
        try:
            outcome = door.check(kind, data)
        except Exception as error:
            outcome = "fault"
            where = traceback.extract_tb(error.__traceback__)[-1]
            report.faults.setdefault(
                f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"[:300], (kind, data)
            )
        report.outcomes.setdefault(kind, Counter())[outcome] += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink(missing_ok=True)
    return report


def record(door: str, seed: int, seconds: float, report: Report) -> None:
    """Keeps the counts; a run with the same door and seed is replaced."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    total = sum(report.outcomes.values(), Counter())
    row = {
        "door": door,
        "seed": seed,
        "inputs": total.total(),
        "accepted": total["accepted"],
        "refused": total["refused"],
        "faults": total["fault"],
        "seconds": round(seconds),
    }
    others = [other for other in kept if (other["door"], other["seed"]) != (door, seed)]
    rows = sorted([*others, row], key=lambda row: (row["door"], row["seed"]))
    RESULTS.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")


def main() -> None:
    """Prints a table of outcomes; the exit code is 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("door", choices=["vqz", "vqa", "vqs", "model", "image", "arguments"])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after these, whatever the count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--replay", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    faulthandler.enable()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        door = open_door(options.door, Path(folder))
        if options.replay:
            print(door.check(options.replay.suffix.lstrip(".").replace("-", " "), options.replay.read_bytes()))
            return
        began = time.monotonic()
        report = fuzz(door, options.seed, options.count, options.seconds)
        seconds = time.monotonic() - began
    for kind, outcomes in sorted(report.outcomes.items()):
        print(f"{kind:20}" + "".join(f"{number:10} {outcome}" for outcome, number in sorted(outcomes.items())))
    print(f"{sum(map(Counter.total, report.outcomes.values()))} inputs in {seconds:.0f} s")
    for number, (fault, (kind, data)) in enumerate(report.faults.items()):
        path = Path(f"fault-{options.door}-{options.seed}-{number}.{kind.lstrip('.').replace(' ', '-')}")
        path.write_bytes(data)
        print(f"{path}: {fault}")
    if options.record:
        record(options.door, options.seed, seconds, report)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
