"""The paper's experiments beside ours: tables and figures from the results of trainings.

`published.json` has the figures of Vali and Bäckström (ICASSP 2023), as their authors published them. Ours are
collected from the folders of a sweep by `python -m benchmarks.report --collect outputs/cifar10`.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.paper.common import Section
from benchmarks.paper.images import cifar10
from benchmarks.paper.neighbours import recall, search, sift
from benchmarks.paper.speech import speech
from benchmarks.paper.toy import toy

EXPERIMENTS: dict[str, Callable[[Any], Section]] = {
    experiment.__name__: experiment for experiment in (cifar10, recall, sift, search, toy, speech)
}
"""By the name of its results, what makes the section of an experiment from them, and draws its figure."""
