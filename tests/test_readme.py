"""The README: its examples run as they stand, in Python and in the shell, and its tables and links are complete."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from vqvae.cli.main import main

README = (REPOSITORY / "README.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COMPRESS = README.split("## Compress")[1].split("## Train")[0]
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_a_python_example_runs(example, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save(Path("photo.png"))
    names: dict = {}
    exec(example, names)
    if "pixels" in names:
        assert names["pixels"].shape == photo.shape
    else:
        assert names["values"].shape == names["vectors"].shape


@pytest.mark.slow
def test_the_commands_for_images_run_from_top_to_bottom_and_print_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    block, shown = re.search(r"```sh\n(.*?)```\s*```text\n(.*?)```", COMPRESS, re.DOTALL).groups()  # type: ignore[union-attr]
    for line in block.splitlines():
        command = shlex.split(line, comments=True)
        if command[:1] == ["vqvae"]:
            with pytest.raises(SystemExit) as ended:
                main(command[1:])
            assert not ended.value.code, line
        elif command:
            assert command[:2] == ["python", "-c"]
            exec(command[2], {})
    printed = "".join(capsys.readouterr())
    assert sorted(without_figures(printed)) == sorted(without_figures(shown))


def without_figures(lines: str) -> list[str]:
    """Lines without the sizes and rates, which change with the model."""
    return [re.sub(r"[\d.]+ (bytes|bpp)", r"\1", line) for line in lines.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([\w/.-]+)\)", page.read_text())
    assert all((page.parent / link).exists() for link in links)


def test_the_table_of_configs_is_complete():
    groups = re.findall(r"\| `(\w+)/` \| (.*) \|", (REPOSITORY / "docs" / "training.md").read_text())
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
