"""The common part of all trainings: a Lightning run that can be resumed, and its record."""

import json
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from hydra.utils import instantiate
from jaxtyping import Float
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, Trainer
from torch import Tensor

from vqvae.errors import VqvaeError
from vqvae.media.atomic import atomic_path
from vqvae.models.registry import build
from vqvae.quantizers import Quantizer
from vqvae.training import QuantizerTraining
from vqvae.training.callbacks import StopWhenDiverged

RESULT = "result.json"
RECORDED_GROUPS = ["seed", "estimator", "data", "optimizer", "trainer", "callbacks"]
"""Groups of settings that model files and results record."""

PATH_KEYS = {"root", "dirpath", "default_root_dir"}
"""Settings that are removed from the record: paths of a private machine."""


Q = TypeVar("Q", bound=Quantizer)


def build_quantizer(cfg: DictConfig, kind: type[Q]) -> tuple[dict[str, Any], Q]:
    """The plain config of the quantiser, and the quantiser with its estimator.

    Args:
        cfg: as in conf/train.yaml.
        kind: the class that it must be a subclass of.
    """
    config: dict[str, Any] = OmegaConf.to_container(cfg.quantizer, resolve=True)  # type: ignore[assignment]
    quantizer = build(config, kind)
    quantizer.set_estimator(instantiate(cfg.estimator))
    return config, quantizer


def make_trainer(cfg: DictConfig) -> Trainer:
    """The trainer with its callbacks and loggers; null callbacks are left out."""
    return instantiate(
        cfg.trainer,
        callbacks=[StopWhenDiverged(), *(callback for callback in instantiate(cfg.callbacks).values() if callback)],
        logger=list(instantiate(cfg.logger).values()),
        enable_model_summary=False,
    )


def checkpoint_to_resume(cfg: DictConfig, output: Path) -> Path | None:
    """The requested checkpoint, or that of an earlier run in this folder, if any.

    Raises:
        VqvaeError: the requested checkpoint does not exist.
    """
    if not cfg.resume:
        left = output / "checkpoints" / "last.ckpt"
        return left if left.is_file() else None
    if not Path(cfg.resume).is_file():
        raise VqvaeError(
            f"resume={cfg.resume}: no such checkpoint: give the path of one, as in outputs/…/checkpoints/last.ckpt"
        )
    return Path(cfg.resume)


def check_checkpoint(path: Path, module: QuantizerTraining, max_steps: int) -> None:
    """Checks that a training can be resumed from a checkpoint.

    Raises:
        VqvaeError: it is damaged, of another model, or its learning-rate schedule ends before `max_steps`.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        weights, schedules = saved["state_dict"], saved["lr_schedulers"]
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    except Exception as error:
        kind = type(error).__name__  # its message is a page long
        raise VqvaeError(f"{path}: not a checkpoint, or damaged ({kind}): resume from another one") from None
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    differing = sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name))
    if differing:
        name = differing[0]
        there = f"{name} is {shapes.get(name, 'missing')}, but {expected.get(name, 'missing')} with these settings"
        raise VqvaeError(f"{path}: a checkpoint of another model: {there}: resume with its settings")
    planned = min((schedule["total_steps"] for schedule in schedules if "total_steps" in schedule), default=max_steps)
    if max_steps > planned:
        raise VqvaeError(
            f"{path}: its learning-rate schedule ends at step {planned}, but trainer.max_steps={max_steps}: "
            f"resume with trainer.max_steps={planned}, or start a training with weights=MODEL"
        )


def fit(
    trainer: Trainer, module: QuantizerTraining, data: LightningDataModule, checkpoint: Path | None
) -> dict[str, Any]:
    """Trains, unless `max_steps` is 0.

    Returns:
        the number of steps, the date, the seconds since the training was last resumed, and the device.
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


class Trained(NamedTuple):
    """The result of a training of a quantiser alone.

    Attributes:
        fitted: test metrics after the codebook fitting.
        trained: test metrics after the training.
        done: as returned by `fit`.
    """

    fitted: Mapping[str, float]
    trained: Mapping[str, float]
    done: dict[str, Any]


def fit_and_train(
    cfg: DictConfig,
    output: Path,
    module: QuantizerTraining,
    data: LightningDataModule,
    vectors: Float[Tensor, "n D"],
    iterations: int,
) -> Trained | None:
    """Fits the codebooks, trains by gradient descent, and tests after each; None in all processes but the first.

    Args:
        cfg: as in conf/train.yaml.
        output: folder of the run.
        module: the training.
        data: its data.
        vectors: the vectors that codebooks are fitted to.
        iterations: of the codebook fitting.
    """
    trainer = make_trainer(cfg)
    checkpoint = checkpoint_to_resume(cfg, output)
    module.fit_codebooks(vectors, iterations)
    (fitted,) = trainer.test(module, data, verbose=False)
    done = fit(trainer, module, data, checkpoint)
    (trained,) = trainer.test(module, data, verbose=False)
    return Trained(fitted, trained, done) if trainer.is_global_zero else None


def settings(cfg: DictConfig) -> Any:
    """The record of a training's settings."""
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    return _without_paths({name: resolved[name] for name in RECORDED_GROUPS})


def write_result(output: Path, result: Mapping[str, Any]) -> None:
    """Writes the settings and figures of a run, which marks it as done.

    Raises:
        ValueError: a figure is not finite.
    """
    with atomic_path(output / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def _without_paths(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_paths(value) for key, value in config.items() if key not in PATH_KEYS}
    return config
