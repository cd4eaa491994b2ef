"""Names of outputs, by what is in the folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqvae.bulk.names import target_names

IMAGES = {".png", ".jpg", ""}


@pytest.mark.parametrize(
    ("names", "targets"),
    [
        (["a.png", "b.JPG"], ["a.vqz", "b.vqz"]),
        (["a.png", "a.jpg"], ["a.png.vqz", "a.jpg.vqz"]),
        (["IMG.0001", "IMG.0002"], ["IMG.0001.vqz", "IMG.0002.vqz"]),
        (["a", "a.png"], ["a.vqz", "a.png.vqz"]),
        (["x.jpg", "x.png", "x.png.jpg"], ["x.jpg.vqz", "x.png.vqz", "x.png.jpg.vqz"]),
        (["one/a.png", "two/a.jpg"], ["one/a.vqz", "two/a.vqz"]),
        (["a.tar.png", "a.png"], ["a.tar.vqz", "a.vqz"]),
    ],
)
def test_an_output_has_its_inputs_name_and_its_suffix_where_another_would_be_called_the_same(names, targets):
    assert list(target_names(names, IMAGES, ".vqz").values()) == targets


def test_no_output_is_called_like_a_folder():
    names = ["a.jpg", "a.png/b.png", "c.png", "c.png/d.png", "c.png.png/e.png"]
    targets = target_names(names, IMAGES, ".png")
    assert targets["a.jpg"] == "a.jpg.png" and targets["c.png"] == "c.png (2).png"


def test_names_that_differ_by_case_get_a_number_where_the_system_ignores_case():
    names = ["a.png", "A.png", "b.png", "B.jpg"]
    assert list(target_names(names, IMAGES, ".png", str.casefold).values()) == [
        "a.png.png",
        "A.png (2).png",
        "b.png.png",
        "B.jpg.png",
    ]
    assert list(target_names(["a.png", "A.png"], IMAGES, ".png", str).values()) == ["a.png", "A.png"]


PARTS = st.sampled_from(["a", "A", "a.png", "a.jpg", "a.png.png", "b", "a.png (2)"])
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=12)


@given(NAMES)
def test_no_two_outputs_are_one_file_and_none_is_a_folder_on_any_system(names):
    for fold in (str, str.casefold):
        targets = [fold(target) for target in target_names(names, IMAGES, ".png", fold).values()]
        folders = {fold(str(parent)) for name in names for parent in PurePosixPath(name).parents}
        assert len(set(targets)) == len(names) and not folders & set(targets)


@given(NAMES.filter(bool))
def test_a_name_does_not_depend_on_the_order_of_the_others_where_case_matters(names):
    assert target_names(names, IMAGES, ".vqz", str) == target_names(names[::-1], IMAGES, ".vqz", str)
