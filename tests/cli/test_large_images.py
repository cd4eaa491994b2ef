"""How much memory large images take."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

BYTES_A_PIXEL = 14  # 3 are the pixels, 4 those of Pillow, up to 4 the indices

GROWTH = """
import resource, sys
from vqvae.cli.main import app

def peak(command, *arguments):
    assert app([command, *arguments], standalone_mode=False) == 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

command, small, large = sys.argv[1:]
before = peak(command, small, "--force")
print("peak grew by", peak(command, large, "--force") - before)
"""


@pytest.mark.slow
def test_memory_grows_by_little_more_than_the_pixels_of_an_image(tmp_path):
    sides = {"small": 2048, "large": 4096}
    waves = (128 + 100 * np.sin(np.arange(4096) / 50)).astype(np.uint8)
    for name, side in sides.items():
        grey = np.minimum.outer(waves[:side], waves[:side])
        Image.fromarray(np.stack([grey, grey.T, 255 - grey], -1)).save(tmp_path / f"{name}.png", compress_level=1)
    for command, suffix in {"encode": ".png", "decode": ".vqz"}.items():
        files = [tmp_path / f"{name}{suffix}" for name in sides]
        run = subprocess.run([sys.executable, "-c", GROWTH, command, *files], capture_output=True, text=True)
        growth = re.search(r"peak grew by (\d+)", run.stdout)
        assert growth, run.stderr
        assert int(growth[1]) < BYTES_A_PIXEL * (sides["large"] ** 2 - sides["small"] ** 2)
