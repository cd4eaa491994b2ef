"""The tests with other versions: `python -m benchmarks.compatibility --python 3.13`, or `--lowest` of each dependency.

Makes a new virtual environment with uv (pip install uv), installs the project there with the newest versions, or with
the lowest that pyproject.toml allows, and runs the tests, or those named. PyTorch is large; what uv has downloaded is
linked, not copied. `--record` keeps the outcome in benchmarks/results/compatibility.json.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "compatibility.json"
SHOWN = ("torch", "pytorch-lightning", "numpy", "pillow", "numba", "scikit-image", "safetensors", "jaxtyping", "typer")


def install(folder: Path, python: str, lowest: bool) -> Path:
    """A new environment with the project and what its tests need; its interpreter."""
    subprocess.run(["uv", "venv", "--quiet", "--python", python, str(folder)], check=True)
    interpreter = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    resolution = ["--resolution", "lowest-direct"] if lowest else []
    common = ["uv", "pip", "install", "--quiet", "--python", str(interpreter)]
    subprocess.run([*common, *resolution, f"{ROOT}[dev]"], check=True)
    return interpreter


def installed(interpreter: Path) -> dict[str, str]:
    """The versions of the interpreter and of the dependencies that matter most."""
    listed = subprocess.run(
        ["uv", "pip", "list", "--format", "json", "--python", str(interpreter)], check=True, capture_output=True
    )
    versions = {package["name"]: package["version"] for package in json.loads(listed.stdout)}
    said = subprocess.run([interpreter, "--version"], check=True, capture_output=True, text=True).stdout
    return {"python": said.split()[1], **{name: versions[name] for name in SHOWN if name in versions}}


def main() -> None:
    """Prints how the tests ended; the exit code is theirs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--lowest", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("tests", nargs="*", default=["tests"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        interpreter = install(Path(folder, "environment"), options.python, options.lowest)
        versions = installed(interpreter)
        print(versions, flush=True)
        tested = [str(interpreter), "-m", "pytest", "-q", "-m", "not slow", *options.tests]
        done = subprocess.run(tested, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    if options.record:
        rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
        ended = re.sub(r" in .*", "", done.stdout.strip().splitlines()[-1].strip("= "))
        rows.append({**versions, "tests": " ".join(options.tests), "outcome": ended})
        RESULTS.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
