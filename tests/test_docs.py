"""The pages of docs/ whose examples say that they run: they do, from top to bottom."""

import re

import pytest
from PIL import Image

from tests.conftest import REPOSITORY


@pytest.mark.parametrize("page", ["integrations"])
def test_the_examples_of_a_page_run(page, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("photo.png")
    names: dict = {}
    examples = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / f"{page}.md").read_text(), re.DOTALL)
    assert examples
    for example in examples:
        exec(example, names)
    assert names["pixels"].shape == photo.shape
