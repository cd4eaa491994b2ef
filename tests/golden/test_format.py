"""A reader written from docs/format.md alone, in Python's integers, finds what is in the golden files."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

FOLDER = Path(__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.vqz"))
NEIGHBOURS = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, -1), (-2, 1), (-1, -2)]
DTYPES = {"F16": "float16", "F32": "float32", "I8": "int8", "I16": "int16", "I32": "int32"}
Indices = dict[tuple[int, int, int], int]  # by row, column and stage


def read_size(data: bytes, position: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = data[position]
        size += (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return size, position


def read_sections(data: bytes, model_ids: dict[int, bytes]) -> tuple[int, int, int, list[bytes]]:
    """Width, height, code and payloads."""
    model_id = model_ids[min(data[2] & 7, 1)] if data[2] >> 4 >= 5 else b""
    assert data[:2] == b"VQ" and data[2] >> 4 in (1, 2, 3, 5, 6)
    width, position = read_size(data, 3)
    height, position = read_size(data, position)
    assert data[position : position + 3].startswith(model_id[:3])
    position += 3
    if data[2] >> 4 in (3, 6):
        length, position = read_size(data, position)
        assert [kind for kind, _ in read_chunks(data[position : position + length])] == [1, 2, 3, 4, 5]
        position += length
    sections = []
    if data[2] & 8:
        while position < len(data):
            length, start = read_size(data, position)
            position = start + length + 4
            sections.append(data[start : start + length])
            assert int.from_bytes(data[position - 4 : position], "big") == zlib.crc32(model_id + data[: position - 4])
    else:
        sections.append(data[position:-4])
        assert int.from_bytes(data[-4:], "big") == zlib.crc32(model_id + data[:-4])
    return width, height, data[2] & 7, sections


def read_chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        length, start = read_size(data, position + 1)
        yield data[position], data[start : start + length]
        position = start + length


NOT_FOR_DECODING = {"beam", "refinements", "steps", "batch", "learning_rate"}
DEFAULTS = {"patch": {"conv_decoder": 2, "lapped_decoder": 4}}


def id_of(path: Path, code: int) -> bytes:
    """The id of a model for files with this entropy model's code."""
    parts = ["decoder", "quantizer", "entropy"] if code else ["decoder", "quantizer"]
    prefixes = tuple("entropy." if part == "entropy" else f"autoencoder.{part}." for part in parts)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    config = json.loads(header.pop("__metadata__")["vqvae"])["config"]
    structure = {
        part: {
            name: value
            for name, value in config[part].items()
            if name not in NOT_FOR_DECODING and DEFAULTS.get(name, {}).get(config[part]["_target_"]) != value
        }
        for part in parts
    }
    text = json.dumps(structure, sort_keys=True, separators=(",", ":")).encode()
    for name in sorted(header):
        if name.startswith(prefixes):
            begin, end = header[name]["data_offsets"]
            kind = DTYPES[header[name]["dtype"]]
            text += json.dumps([name, kind, header[name]["shape"]], separators=(",", ":")).encode()
            text += data[start + begin : start + end]
    return hashlib.sha256(text).digest()


def range_decoder(payload: bytes) -> Callable[[list[int]], int]:
    data = payload + bytes(10_000)
    value, low, width, position = int.from_bytes(data[:8], "big"), 0, 2**64 - 1, 8

    def next_symbol(frequencies: list[int]) -> int:
        nonlocal value, low, width, position
        assert sum(frequencies) == 2**24
        step = width >> 24
        symbol = 0
        while not sum(frequencies[:symbol]) <= (value - low) // step < sum(frequencies[: symbol + 1]):
            symbol += 1
        low, width = low + step * sum(frequencies[:symbol]), step * frequencies[symbol]
        if width < 2**32:
            value = value << 32 | int.from_bytes(data[position : position + 4], "big")
            low, width, position = low << 32, width << 32, position + 4
        return symbol

    return next_symbol


def frequencies_from(weights: list[int]) -> list[int]:
    size = len(weights)
    floor = max(weights) // (256 * (size - 1)) + 1
    weights = [max(weight, floor) for weight in weights]
    factor = ((2**24 - size) << 20) // sum(weights)
    frequencies = [(weight * factor >> 20) + 1 for weight in weights]
    return [*frequencies[:-1], frequencies[-1] + 2**24 - sum(frequencies)]


def clip(value: int) -> int:
    return min(max(value, 0), 255)


def weights_of(
    tables: dict[str, Any], found: Indices, shape: tuple[int, int], place: tuple[int, int], m: int
) -> list[int]:
    stages, size = len(tables["embedding"]), len(tables["embedding"][0]) - 2
    first = list(tables["first_bias"][m])

    def add(embedding: list[int], layer: list[list[int]]) -> None:
        for value, row in zip(embedding, layer, strict=True):
            for f, weight in enumerate(row):
                first[f] += value * weight

    for o, (down, right) in enumerate(NEIGHBOURS):
        y, x = place[0] + down, place[1] + right
        inside = 0 <= y < shape[0] and 0 <= x < shape[1]
        for j in range(stages):
            index = found.get((y, x, j), size + 1) if inside else size
            add(tables["embedding"][j][index], tables["near"][o])
    for j in range(m):
        add(tables["embedding"][j][found[*place, j]], tables["own"][m])
    values = [clip(value >> 9) for value in first]
    second = list(tables["second_bias"][m])
    for h in range(len(second)):
        second[h] += sum(value * row[h] for value, row in zip(values, tables["second"][m], strict=True))
    values = [clip(value >> 7) for value in second]
    third = list(tables["third_bias"][m])
    for k in range(len(third)):
        third[k] += sum(value * row[k] for value, row in zip(values, tables["third"][m], strict=True))
    logits = [value >> 4 for value in third]
    return [tables["powers"][min(max(logits) - logit, 511)] for logit in logits]


def places(shape: tuple[int, int]) -> Iterator[list[tuple[int, int]]]:
    """The fronts."""
    height, width = shape
    for front in range(width + 2 * height):
        yield [(y, front - 2 * y) for y in range(height) if 0 <= front - 2 * y < width]


def read_by_the_book(stem: str) -> np.ndarray:
    model = stem.removesuffix("-progressive").replace("v3", "v2").replace("v6", "v5")
    model_ids = {code: id_of(FOLDER / f"{model}.safetensors", code) for code in (0, 1)}
    width, height, code, sections = read_sections((FOLDER / f"{stem}.vqz").read_bytes(), model_ids)
    with safe_open(FOLDER / f"{model}.safetensors", "np") as file:
        config = json.loads(file.metadata()["vqvae"])["config"]
        tables = {key[8:]: file.get_tensor(key).tolist() for key in file.keys() if key.startswith("entropy.")}  # noqa: SIM118
    quantizer = config["quantizer"]
    stages, bits = quantizer.get("stages", 1), quantizer["codebook_bits"]
    stride = config["encoder"].get("patch", 2) * 2 ** (len(config["encoder"]["channels"]) - 1)
    shape = -(-height // stride), -(-width // stride)
    found: Indices = {}
    for number, payload in enumerate(sections):
        wanted = [number] if len(sections) > 1 else list(range(stages))
        next_symbol = range_decoder(payload)
        if code == 0:
            digits = "".join(f"{byte:08b}" for byte in payload)
            order = [(y, x, m) for y in range(shape[0]) for x in range(shape[1]) for m in wanted]
            found |= {place: int(digits[bits * i : bits * (i + 1)], 2) for i, place in enumerate(order)}
        if code == 1:
            for m in wanted:
                row = [less_one + 1 for less_one in tables["frequencies"][m]]
                found |= {(y, x, m): next_symbol(row) for y in range(shape[0]) for x in range(shape[1])}
        if code == 2:
            for front in places(shape):
                for m in wanted:
                    rows = [frequencies_from(weights_of(tables, found, shape, place, m)) for place in front]
                    found |= {(*place, m): next_symbol(row) for place, row in zip(front, rows, strict=True)}
    return np.array([[[found[y, x, m] for m in range(stages)] for x in range(shape[1])] for y in range(shape[0])])


@pytest.mark.parametrize("stem", FILES)
def test_the_format_description_is_all_that_a_reader_needs(stem):
    assert np.array_equal(read_by_the_book(stem), np.load(FOLDER / f"{stem}.npy"))
