"""What all trainings do: a Lightning run that resumes where it stopped, and a record of it."""

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
from vqvae.training.callbacks import StopWhenDiverged

RESULT = "result.json"
RECORDED_GROUPS = ["seed", "estimator", "data", "optimizer", "trainer", "callbacks"]
"""Groups of settings that model files and results record."""

PATH_KEYS = {"root", "dirpath", "default_root_dir"}
"""Settings that are removed from the record: paths of a private machine."""


def make_trainer(cfg: DictConfig) -> Trainer:
    """The trainer with its callbacks and loggers; those that are null are left out."""
    return instantiate(
        cfg.trainer,
        callbacks=[StopWhenDiverged(), *(callback for callback in instantiate(cfg.callbacks).values() if callback)],
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


def check_checkpoint(path: Path, module: QuantizerTraining, max_steps: int) -> None:
    """Makes sure that a training can be resumed from a checkpoint.

    Raises:
        VqvaeError: it is damaged, of another model, or its learning-rate schedule ends before `max_steps`.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        weights, schedules = saved["state_dict"], saved["lr_schedulers"]
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    except Exception as error:
        kind = type(error).__name__  # its text is a page
        raise VqvaeError(f"{path}: not a checkpoint, or damaged ({kind}): resume from another one") from None
    here = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    differing = sorted(name for name in shapes.keys() | here.keys() if shapes.get(name) != here.get(name))
    if differing:
        name = differing[0]
        there = f"{name} is {shapes.get(name, 'not there')}, but {here.get(name, 'not there')} with these settings"
        raise VqvaeError(f"{path}: a checkpoint of another model: {there}: resume with the settings it was made with")
    planned = min((schedule["total_steps"] for schedule in schedules if "total_steps" in schedule), default=max_steps)
    if max_steps > planned:
        raise VqvaeError(
            f"{path}: its learning-rate schedule ends at step {planned}, but trainer.max_steps={max_steps}: "
            f"resume with trainer.max_steps={planned}, or start a training with weights=MODEL"
        )


def fit(
    trainer: Trainer, module: QuantizerTraining, data: LightningDataModule, checkpoint: Path | None
) -> dict[str, Any]:
    """Trains, unless there are no steps to do.

    Returns:
        how many steps were done, and when; on what, and how many seconds it took since it was last resumed.
    """
    start, device = time.monotonic(), trainer.strategy.root_device
    if checkpoint:
        check_checkpoint(checkpoint, module, trainer.max_steps)
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
    """The record of a training's settings."""
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    return _without_paths({name: resolved[name] for name in RECORDED_GROUPS})


def write_result(output: Path, result: Mapping[str, Any]) -> None:
    """Marks a run as done, with its settings and figures.

    Raises:
        ValueError: a figure is not finite.
    """
    with atomic_path(output / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def _without_paths(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_paths(value) for key, value in config.items() if key not in PATH_KEYS}
    return config
