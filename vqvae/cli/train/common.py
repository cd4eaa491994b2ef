"""What all trainings do: a Lightning run that goes on where it stopped, and a record of it."""

import json
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, Trainer

from vqvae.errors import VqvaeError
from vqvae.media.atomic import atomic_path
from vqvae.training import QuantizerTraining

RESULT = "result.json"
RECORDED = ["seed", "estimator", "data", "optimizer", "trainer", "callbacks"]
"""What is told of a training, ..."""

PATHS = {"root", "dirpath", "default_root_dir"}
"""... and what of that is nobody's business."""


def make_trainer(cfg: DictConfig) -> Trainer:
    """The trainer with its callbacks and loggers; those that are null are left out."""
    return instantiate(
        cfg.trainer,
        callbacks=[callback for callback in instantiate(cfg.callbacks).values() if callback],
        logger=list(instantiate(cfg.logger).values()),
        enable_model_summary=False,
    )


def checkpoint_to_resume(cfg: DictConfig, output: Path) -> Path | None:
    """The checkpoint that is asked for, or that an earlier run in this folder left.

    Raises:
        VqvaeError: what is asked for is not there.
    """
    if not cfg.resume:
        left = output / "checkpoints" / "last.ckpt"
        return left if left.is_file() else None
    if not Path(cfg.resume).is_file():
        raise VqvaeError(f"resume={cfg.resume}: no such checkpoint")
    return Path(cfg.resume)


def fit(
    trainer: Trainer, module: QuantizerTraining, data: LightningDataModule, checkpoint: Path | None
) -> dict[str, Any]:
    """Trains, unless there are no steps to do.

    Returns:
        how many steps were done, and when; on what, and how many seconds it took since it was last resumed.
    """
    start, device = time.monotonic(), trainer.strategy.root_device
    if trainer.max_steps:
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    cpu = f"CPU with {torch.backends.cpu.get_cpu_capability()}, threads: {torch.get_num_threads()}"
    return {
        "steps": trainer.global_step,
        "date": str(date.today()),
        "seconds": round(time.monotonic() - start),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "torch": torch.__version__,
    }


def settings(cfg: DictConfig) -> Any:
    """What is worth telling of how a training was set."""
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    return _without_paths({name: resolved[name] for name in RECORDED})


def write_result(output: Path, result: Mapping[str, Any]) -> None:
    """Marks a run as done, with what it reached."""
    with atomic_path(output / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


def _without_paths(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_paths(value) for key, value in config.items() if key not in PATHS}
    return config
