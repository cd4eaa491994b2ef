"""`train.py`, also installed as `vqvae-train`: runs the task of the config."""

import logging
import os
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
from vqvae.errors import ConfigError, VqvaeError, one_line


def config_dir() -> str:
    """Where the yaml files are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


@hydra.main(version_base=None, config_path=config_dir(), config_name="train")
def main(cfg: DictConfig) -> None:
    """Runs the task; errors are one line."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*isinstance.treespec, LeafSpec.*"):
        warnings.filterwarnings("ignore", message=message)
    try:
        train(cfg)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else None
        reason = cause if isinstance(cause, Exception) else error
        if isinstance(reason, VqvaeError):
            sys.exit(f"error: {reason}")
        if os.environ.get("VQVAE_TRACEBACK"):
            raise
        sys.exit(f"error: {one_line(reason, 'training')} (VQVAE_TRACEBACK=1 shows where)")


def train(cfg: DictConfig) -> None:
    """Runs the task, unless it has been done in this folder; raises errors."""
    output = Path(HydraConfig.get().runtime.output_dir)
    if not (isinstance(cfg.seed, int) and 0 <= cfg.seed < 2**32):
        raise ConfigError(f"seed={cfg.seed}: must be a whole number from 0 to {2**32 - 1}")
    if (output / RESULT).is_file():
        print(f"{output}: done already")
        return
    seed_everything(cfg.seed, workers=True, verbose=False)
    instantiate(cfg.task)(cfg, output)
