"""Changes to bytes, of the kinds that find faults in readers of files."""

import random
from collections.abc import Callable, Sequence

INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")
CHANGES_PER_INPUT = (1, 1, 1, 2, 3, 8)


def flip(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """One bit."""
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """Some bytes, by numbers at which programs fail, or by any."""
    new = draw.choice(INTERESTING) if draw.random() < 0.6 else draw.randbytes(draw.randint(1, 8))
    at = draw.randrange(len(data))
    data[at : at + len(new)] = new


def cut(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """Leaves some bytes out, or all to the end."""
    at = draw.randrange(len(data))
    del data[at : at + draw.randint(1, 16) if draw.random() < 0.7 else None]


def repeat(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """Some bytes another time."""
    at, to = draw.randrange(len(data)), draw.randrange(len(data))
    data[to:to] = data[at : at + draw.randint(1, 64)]


def splice(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """Some bytes of another file."""
    other = draw.choice(others)
    at, to = draw.randrange(len(other)), draw.randrange(len(data))
    part = other[at : at + draw.randint(1, 64)]
    data[to : to + len(part)] = part


CHANGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    flip,
    overwrite,
    overwrite,
    cut,
    repeat,
    splice,
)


def mutate(sound: bytes, draw: random.Random, others: Sequence[bytes], head: int = 400) -> bytes:
    """A changed file.

    Args:
        sound: the file.
        draw: random numbers.
        others: files that parts may come from.
        head: bytes in which half of the changes are, as that is where files say how they are to be read.
    """
    data = bytearray(sound)
    first = data[: draw.randint(8, head)] if draw.random() < 0.5 else data
    rest = b"" if first is data else data[len(first) :]
    for _ in range(draw.choice(CHANGES_PER_INPUT)):
        if first:
            draw.choice(CHANGES)(first, draw, others)
    return bytes(first + rest)
