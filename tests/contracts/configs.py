"""The configs that the contract tests find their subjects by."""

from pathlib import Path
from typing import Any

import yaml
from hydra.utils import get_class

CONF = Path(__file__).parents[2] / "conf"


def names(group: str) -> list[str]:
    """The configs of a group: a new yaml is tested without a word here."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def load(group: str, name: str) -> dict[str, Any]:
    """One config as plain values, without Hydra."""
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text())


def data_modules(kind: type) -> list[str]:
    """The data modules of one kind."""
    return [name for name in names("data") if issubclass(get_class(load("data", name)["_target_"]), kind)]
