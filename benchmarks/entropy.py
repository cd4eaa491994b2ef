"""Entropy coding: OMP_NUM_THREADS=1 python -m benchmarks.entropy --data data --json FILE.

Bytes of the indices of the CIFAR10 test images and of Kodak, and the seconds that coding them takes on one core; beside
LZMA and bzip2 of the same indices at fixed width, all images of a set in one go. Then what a progressive file costs,
and the PSNR after each of its stages.
"""

import argparse
import bz2
import json
import lzma
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Integer
from rich.progress import track

from vqvae.cli.tables import print_table
from vqvae.codec import ImageCodec
from vqvae.data.cifar10 import load_cifar10
from vqvae.entropy import EntropyModel, Histogram, Uniform
from vqvae.evaluation.fidelity import mean_squared_error, psnr_of
from vqvae.formats import unpack
from vqvae.media.images import read_image
from vqvae.models.file import load_codec
from vqvae.models.store import find_model
from vqvae.training.entropy import indices_of

BATCH = 64
FITTED = 10_000  # CIFAR10 training images that the histogram is fitted to


def time_of(function: Callable[[], Any], repeats: int) -> float:
    """Median milliseconds."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        times.append(1000 * (perf_counter() - start))
    return median(times)


def in_batches(indices: Integer[np.ndarray, "n h w M"]) -> Iterable[np.ndarray]:
    """The indices of a few images at a time."""
    return np.array_split(indices.astype(np.int64), -(-len(indices) // BATCH))


def lengths_of(models: list[EntropyModel], indices: Integer[np.ndarray, "n h w M"]) -> list[int]:
    """The payload's bytes of each image, by whichever model is shorter; every payload is decoded and compared."""
    lengths = []
    for batch in in_batches(indices):
        payloads = [model.encode(batch) for model in models]
        for model, coded in zip(models, payloads, strict=True):
            assert np.array_equal(model.decode(coded, batch[..., :0], model.stages), batch)
        lengths += [min(map(len, several)) for several in zip(*payloads, strict=True)]
    return lengths


def measure_bytes(models: dict[str, EntropyModel], sets: dict[str, list[np.ndarray]]) -> list[dict[str, Any]]:
    """Bytes of each set's indices by each model."""
    rows = []
    fixed = models["uniform"]
    for name, groups in sets.items():
        packed = b"".join(payload for group in groups for payload in fixed.encode(group.astype(np.int64)))
        vectors = sum(group[..., 0].size for group in groups)
        sizes = {"lzma": len(lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME)), "bzip2": len(bz2.compress(packed))}
        for kind, model in track(models.items(), name):
            sizes[kind] = sum(sum(lengths_of([model, fixed], group)) for group in groups)
        rows += [
            {
                "images": name,
                "coded by": kind,
                "bytes": size,
                "bits a vector": 8 * size / vectors,
                "less than fixed width": f"{1 - size / len(packed):.1%}",
            }
            for kind, size in sizes.items()
        ]
    return rows


def measure_times(models: dict[str, EntropyModel], photo: np.ndarray, small: np.ndarray) -> list[dict[str, Any]]:
    """Milliseconds for indices of images of several sizes."""
    height, width = photo.shape[1:3]
    grids = {
        f"{2 * width}×{2 * height}": photo[:, : height // 2, : width // 2],
        f"{4 * width}×{4 * height}": photo,
        f"{8 * width}×{8 * height}": np.tile(photo, (1, 2, 2, 1)),
        f"32×32, {BATCH} together": small[:BATCH],
        "32×32, alone": small[:1],
    }
    rows = []
    for name, grid in grids.items():
        row: dict[str, Any] = {"image": name}
        for kind, model in models.items():
            payloads = model.encode(grid)
            row[f"{kind}: encode"] = time_of(lambda model=model, grid=grid: model.encode(grid), 9) / len(grid)
            row[f"{kind}: decode"] = time_of(
                lambda model=model, grid=grid, p=payloads: model.decode(p, grid[..., :0], model.stages), 9
            ) / len(grid)
        rows.append(row)
    return rows


def measure_stages(codec: ImageCodec, paths: list[Path]) -> list[dict[str, Any]]:
    """Bits per pixel and PSNR of progressive files cut after each stage, and of files that are not progressive."""
    bits, errors, pixels = np.zeros(codec.entropy_model.stages + 1), np.zeros(codec.entropy_model.stages + 1), 0
    for path in track(paths, "stages"):
        image = read_image(path)
        pixels += image[..., 0].size
        whole, data = codec.compress(image), codec.compress(image, progressive=True)
        ends = np.cumsum([len(section) for section in unpack(data).coded.sections])
        bits += 8 * np.array([*ends, unpack(whole).coded.payload_bytes])
        for stage in range(codec.entropy_model.stages):
            decoded = codec.decompress(data, stage + 1)
            errors[stage] += mean_squared_error(image, decoded) * image[..., 0].size
        errors[-1] = errors[-2]
    names = [*(f"progressive, {stage + 1}" for stage in range(len(bits) - 1)), "whole"]
    return [
        {"stages": name, "payload bpp": float(bit / pixels), "psnr_dataset": psnr_of(error / pixels)}
        for name, bit, error in zip(names, bits, errors, strict=True)
    ]


def main() -> None:
    """Measures, prints, and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds cifar-10-batches-py and kodak")
    parser.add_argument("--model", default="cifar10-rvq-16", help="a bundled model's name or a model file")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--about", default="", help="machine and date, for the page of results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    codec = load_codec(find_model(arguments.model))
    quantizer = codec.autoencoder.quantizer
    histogram = Histogram(quantizer.num_indices, quantizer.index_bits)
    kodak = sorted((arguments.data / "kodak").glob("*.png"))

    trained, test = (load_cifar10(arguments.data, train).split(250) for train in (True, False))

    def encode(batch: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(codec.indices(batch.permute(0, 2, 3, 1).numpy()))

    fitted = indices_of(encode, track(trained[: FITTED // 250], "training images"))
    histogram.fit(fitted, quantizer.contributions())
    models = {"uniform": Uniform(quantizer.num_indices, quantizer.index_bits), "histogram": histogram}
    models[type(codec.entropy_model).__name__.lower()] = codec.entropy_model
    cifar10 = indices_of(encode, track(test, "test images"))
    photos = [
        indices_of(encode, [torch.tensor(read_image(path)).permute(2, 0, 1)[None]]) for path in track(kodak, "Kodak")
    ]
    result = {
        "bytes": measure_bytes(models, {"CIFAR10 test": [cifar10], "Kodak": photos}),
        "times": measure_times(models, photos[4].astype(np.int64), cifar10.astype(np.int64)),
        "stages": measure_stages(codec, kodak),
        "about": arguments.about,
    }
    for rows in (result["bytes"], result["times"], result["stages"]):
        print_table(list(rows[0]), ([str(value) for value in row.values()] for row in rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
