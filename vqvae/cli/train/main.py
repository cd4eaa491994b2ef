"""`train.py`, also installed as `vqvae-train`: does what the configs say."""

import logging
import sys
import warnings
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from vqvae.cli.train.common import RESULT
from vqvae.errors import VqvaeError


def config_dir() -> str:
    """Where the yaml files are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


@hydra.main(version_base=None, config_path=config_dir(), config_name="train")
def main(cfg: DictConfig) -> None:
    """Does the task, and says in one line what is wrong where it cannot."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*isinstance.treespec, LeafSpec.*"):
        warnings.filterwarnings("ignore", message=message)
    try:
        train(cfg)
    except VqvaeError as error:
        sys.exit(f"error: {error}")
    except InstantiationException as error:
        if isinstance(error.__cause__, VqvaeError | ValueError):
            sys.exit(f"error: {error.__cause__}")
        raise


def train(cfg: DictConfig) -> None:
    """What `main` does, with errors passed on; nothing in a folder where it has been done."""
    output = Path(HydraConfig.get().runtime.output_dir)
    if (output / RESULT).is_file():
        print(f"{output}: done already")
        return
    seed_everything(cfg.seed, workers=True, verbose=False)
    instantiate(cfg.task)(cfg, output)
