"""Tables for terminals and for pipes."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 1000  # without a terminal


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table: the first column left-aligned, the others, mostly figures, right-aligned."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    console.width = console.width if console.is_terminal else PIPE_WIDTH
    console.print(table)


def number(value: int | float | None, format: str = ".4f") -> str:
    """A figure, formatted; - for None."""
    return "-" if value is None else f"{value:{format}}"
