"""Files of vectors, written here byte by byte."""

import struct
from pathlib import Path

import pytest
import torch

from vqvae.data.texmex import open_set, read_vectors
from vqvae.errors import DataError

LETTERS = {".fvecs": "f", ".bvecs": "B", ".ivecs": "i"}
DTYPES = {".fvecs": torch.float32, ".bvecs": torch.uint8, ".ivecs": torch.int32}


def write(path: Path, rows: list[list]) -> Path:
    path.write_bytes(b"".join(struct.pack(f"<i{len(row)}{LETTERS[path.suffix]}", len(row), *row) for row in rows))
    return path


def write_set(folder: Path, prefix: str = "", suffix: str = ".bvecs") -> None:
    for name, rows in {"learn": 4, "base": 3, "query": 2}.items():
        write(folder / f"{prefix}{name}{suffix}", [[row, 7] for row in range(rows)])
    write(folder / f"{prefix}groundtruth.ivecs", [[0, 1, 2], [1, 0, 2]])


@pytest.mark.parametrize("suffix", LETTERS)
def test_vectors_are_read_as_they_were_written(tmp_path, suffix):
    rows = [[1, 2, 250], [3, 4, 5], [0, 255, 9]]
    path = write(tmp_path / f"x{suffix}", rows)
    vectors = read_vectors(path)
    assert vectors.dtype == DTYPES[suffix] and vectors.tolist() == rows


def test_changing_a_tensor_leaves_its_file_alone(tmp_path):
    path = write(tmp_path / "x.fvecs", [[1.5, -2.0]])
    read_vectors(path).zero_()
    assert read_vectors(path).tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"\2\0", "truncated"),
        (struct.pack("<i2B", 2, 1, 2)[:-1], "truncated"),
        (struct.pack("<i2Bi2B", 2, 1, 2, 2, 1, 2)[:-1], "11 bytes are no whole vectors of dimension 2"),
        (struct.pack("<i2Bi2B", 2, 1, 2, 3, 1, 2), "vector 1 is not of dimension 2"),
        (struct.pack("<i2B", -2, 1, 2), "no .bvecs"),
        (struct.pack("<i2B", 0, 1, 2), "no .bvecs"),
        (b"\x89PNG and so on" * 10, "no .bvecs"),
    ],
    ids=["empty", "half a number", "half a vector", "one and a half", "two sizes", "negative", "zero", "foreign"],
)
def test_a_truncated_or_foreign_file_is_one_line(tmp_path, content, reason):
    path = tmp_path / "x.bvecs"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_vectors(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_foreign_file_that_would_be_one_huge_vector_is_one_line(tmp_path):
    path = tmp_path / "x.fvecs"
    path.write_bytes(b"\x89PNG and so on")
    with pytest.raises(DataError, match=r"no whole vectors of dimension 1196314761"):
        read_vectors(path)


def test_a_file_that_is_not_there_or_of_another_kind_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"x.bvecs: cannot be read"):
        read_vectors(tmp_path / "x.bvecs")
    with pytest.raises(DataError, match=r"x.png: .*suffix must be one of .fvecs, .bvecs, .ivecs"):
        read_vectors(tmp_path / "x.png")


@pytest.mark.parametrize(("prefix", "suffix"), [("", ".bvecs"), ("sift_", ".fvecs"), ("siftsmall_", ".fvecs")])
def test_a_folder_is_a_set_whatever_its_files_are_called_before_the_part(tmp_path, prefix, suffix):
    write_set(tmp_path, prefix, suffix)
    vectors = open_set(tmp_path)
    assert [len(part) for part in vectors] == [4, 3, 2, 2]
    assert vectors.base.tolist() == [[0, 7], [1, 7], [2, 7]]
    assert vectors.neighbours.tolist() == [[0, 1, 2], [1, 0, 2]]


def test_what_is_missing_twofold_or_of_another_set_is_named(tmp_path):
    write_set(tmp_path)
    write(tmp_path / "groundtruth.ivecs", [[0], [3]])
    with pytest.raises(DataError, match="ground truth is of other queries or another base"):
        open_set(tmp_path)
    write(tmp_path / "query.bvecs", [[1, 2, 3]])
    with pytest.raises(DataError, match="dimensions 2, 2, 3"):
        open_set(tmp_path)
    write(tmp_path / "other_learn.bvecs", [[1, 2]])
    with pytest.raises(DataError, match=r"holds 2 files .*learn"):
        open_set(tmp_path)
    with pytest.raises(DataError, match=r"holds 0 files .*learn"):
        open_set(tmp_path / "nowhere")


def test_the_ground_truth_of_photographs_is_what_brute_force_finds(sift_photo):
    vectors = open_set(sift_photo)
    queries, base = vectors.queries[:20].double(), vectors.base.float()
    norms = base.square().sum(1).double()
    distances = norms - 2 * (base @ queries.float().T).T.double()  # whole numbers below 2^24: exact
    expected = distances.sort(dim=1).values[:, :100]
    assert torch.equal(distances.gather(1, vectors.neighbours[:20].long()), expected)
