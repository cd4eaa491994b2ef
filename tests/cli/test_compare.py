"""The page of `compare`, in a browser as a person uses it."""

import shutil
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from vqvae.cli import page as pages
from vqvae.cli.page import WHITE, error_map
from vqvae.media.images import read_image

needs_a_browser = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")), reason="there is no chromium with its driver"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "headless",
        "no-sandbox",
        "disable-dev-shm-usage",
        "window-size=800,700",
        "force-device-scale-factor=1",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def page(vqvae, tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in ("a & <b>.png", "c.png"):
        Image.fromarray(draws.integers(256, size=(120, 200, 3), dtype=np.uint8)).save(tmp_path / name)
    vqvae("compare", tmp_path, "-o", tmp_path / "page.html")
    return tmp_path / "page.html"


def shown(figure: WebElement, folder: Path) -> np.ndarray:
    """A figure's image as it is on the screen, without its outermost rows, which may be blended with what is around."""
    figure.find_element(By.CLASS_NAME, "stage").screenshot(str(folder / "shown.png"))
    return read_image(folder / "shown.png")[1:-1]


@pytest.mark.slow
@needs_a_browser
def test_the_slider_uncovers_the_decoded_image_and_the_box_the_errors(page, browser, tiny_codec):
    original = read_image(page.with_name("a & <b>.png"))
    decoded = tiny_codec.decompress(tiny_codec.compress(original))
    errors = np.asarray(error_map(original, decoded))[1:-1]
    original, decoded = original[1:-1], decoded[1:-1]
    browser.get(page.as_uri())
    figure, other = browser.find_elements(By.TAG_NAME, "figure")
    assert figure.find_element(By.TAG_NAME, "b").text == "a & <b>.png"
    slider = figure.find_element(By.CSS_SELECTOR, "input[type=range]")

    slider.send_keys(Keys.HOME)
    assert np.array_equal(shown(figure, page.parent)[:, 2:], decoded[:, 2:])  # beside the line
    slider.send_keys(Keys.END)
    assert np.array_equal(shown(figure, page.parent)[:, :-2], original[:, :-2])

    stage = figure.find_element(By.CLASS_NAME, "stage")
    start = ActionChains(browser).move_to_element_with_offset(stage, 60, 0).click_and_hold()
    start.move_to_element_with_offset(stage, -50, 0).release().perform()
    middle = shown(figure, page.parent)
    assert np.array_equal(middle[:, :48], original[:, :48]) and np.array_equal(middle[:, 52:], decoded[:, 52:])

    figure.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
    assert np.array_equal(shown(figure, page.parent), errors)
    assert not other.find_element(By.CLASS_NAME, "error").is_displayed()
    assert browser.get_log("browser") == []


@pytest.mark.slow
@needs_a_browser
def test_the_page_needs_no_network_and_fits_a_phone(page, browser):
    assert "http:" not in page.read_text() and "https:" not in page.read_text()
    browser.get(page.as_uri())
    browser.set_window_size(500, 700)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_an_existing_page_is_kept_and_bad_images_are_named(vqvae, tree, tmp_path):
    (tree / "broken.png").write_bytes(b"nothing")
    said = vqvae("compare", tree, "-o", tmp_path / "page.html", code=1).output
    assert "broken.png: damaged, or not an image" in said and f"page: {tmp_path / 'page.html'}" in said
    assert (tmp_path / "page.html").read_text().count("<figure>") == 2
    before = (tmp_path / "page.html").read_bytes()
    vqvae("compare", tree / "a.png", "-o", tmp_path / "page.html", code=2)
    assert (tmp_path / "page.html").read_bytes() == before


def test_the_map_goes_from_black_to_white():
    exact, off = np.zeros((1, 2, 3), np.uint8), np.zeros((1, 2, 3), np.uint8)
    off[0, 1] = WHITE
    assert np.asarray(error_map(exact, off)).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(("width", "format"), [(16383, "webp"), (16384, "png")])
def test_images_wider_than_webp_can_be_are_shown_as_png(width, format):
    image = Image.linear_gradient("L").resize((width, 2))
    shown = pages._embed(image)
    head = f"data:image/{format};base64,"
    assert shown.startswith(head)
    with Image.open(BytesIO(b64decode(shown.removeprefix(head)))) as again:
        assert np.array_equal(np.asarray(again.convert("L")), np.asarray(image))
