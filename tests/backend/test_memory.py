"""Free memory goes back to the system."""

import sys
from pathlib import Path

import numpy as np
import pytest

from vqvae.backend.memory import return_free_memory


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_small_arrays_leave_behind_is_returned():
    arrays = [np.ones(4000) for _ in range(4000)]  # 128 MB, in pieces too small for pages of their own
    kept = arrays[::100]
    del arrays
    before = resident_mb()
    return_free_memory()
    assert resident_mb() < before - 60 and len(kept) == 40
