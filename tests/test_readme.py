"""The Python examples of the README and of docs/quantizers.md run as they stand."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save(Path("photo.png"))
    names: dict = {}
    exec(example, names)
    if "pixels" in names:
        assert names["pixels"].shape == photo.shape
    else:
        assert names["values"].shape == names["vectors"].shape


def test_every_file_that_it_links_to_is_there():
    assert all((REPOSITORY / link).exists() for link in re.findall(r"\]\(([\w/.]+)\)", README))


def test_the_tables_of_configs_are_complete():
    groups = re.findall(r"\| `(\w+)/` \| (.*) \|", README)
    assert len(groups) == 7
    for group, choices in groups:
        there = {path.stem for path in (REPOSITORY / "conf" / group).glob("*.yaml")}
        assert set(re.findall(r"`([\w-]+)`", choices)) == there


def test_the_page_about_quantisers_runs_from_top_to_bottom():
    page = (REPOSITORY / "docs" / "quantizers.md").read_text()
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(example, names)
    assert names["coarse"].shape == names["test"].shape
