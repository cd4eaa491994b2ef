"""The contract of what is fuzzed: a door is a place where bytes from outside come in."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from benchmarks.fuzz.mutation import mutate

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"


class Door(ABC):
    """Makes hostile inputs, and tries what happens.

    Args:
        folder: a temporary folder for the files that are needed.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    @abstractmethod
    def seeds(self) -> dict[str, bytes]:
        """Sound inputs, by name."""

    @abstractmethod
    def check(self, kind: str, data: bytes) -> str:
        """Reads an input as the programs do; raises anything where something is wrong.

        Args:
            kind: what `kind` says.
            data: the input.

        Returns:
            what became of it: `accepted` or `refused`.
        """

    def kind(self, name: str) -> str:
        """The row of the table that counts inputs made of this seed."""
        return name

    def change(self, name: str, draw: random.Random) -> bytes:
        """A hostile input made of the seed of this name."""
        return mutate(self.seeds[name], draw, self._others)

    def inputs(self, seed: int) -> Iterator[tuple[str, bytes]]:
        """Kinds and hostile inputs without end, the same for a seed."""
        draw, names = random.Random(seed), list(self.seeds)
        while True:
            name = draw.choice(names)
            yield self.kind(name), self.change(name, draw)

    @cached_property
    def _others(self) -> list[bytes]:
        return list(self.seeds.values())
