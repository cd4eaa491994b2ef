"""A training that was killed and resumed ends with the weights of one that was not, bit for bit."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint

from tests.conftest import TINY_MODEL
from tests.training.kill import Killed, Raise
from vqvae.data.base import ImageDataModule
from vqvae.data.crops import FixedCrops, RandomCrops
from vqvae.models.build import build_autoencoder
from vqvae.quantizers import NSVQ, DiVeQ, Estimator, MovingAverage, ScheduledEstimator
from vqvae.training import AtomicCheckpoints, ImageCompression
from vqvae.training.callbacks import AverageWeights, InitializeCodebooks, MaintainCodebooks

STEPS = 13
NOT_FROM_THE_START = Raise(0)
ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "nsvq_diveq": lambda: ScheduledEstimator(NSVQ(), DiVeQ(), start=0.4),
    "ema": MovingAverage,
    "ema_diveq": lambda: ScheduledEstimator(MovingAverage(), DiVeQ(), start=0.4),
    "nsvq_ema": lambda: ScheduledEstimator(NSVQ(), MovingAverage(), start=0.4),
}


class Crops(ImageDataModule):
    """Five batches an epoch."""

    def setup(self, stage: str | None = None) -> None:
        draws = torch.Generator().manual_seed(0)
        images = torch.randint(256, (4, 3, 20, 24), generator=draws).to(torch.uint8)
        self.train_set = RandomCrops(list(images), 16, 11)
        self.val_set = self.test_set = FixedCrops(list(images), 16, 2)


@pytest.fixture(autouse=True)
def same_seed_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")


def train(
    folder: Path, estimator: str, every: int = 100, end: Callback | None = None, workers: int = 0, **trainer: Any
) -> dict[str, torch.Tensor]:
    """Trains from the folder's checkpoint, if there is one; returns the weights."""
    seed_everything(7, verbose=False)
    module = ImageCompression(
        build_autoencoder(TINY_MODEL),
        torch.optim.AdamW,
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1e-2),
    )
    module.autoencoder.quantizer.set_estimator(ESTIMATORS[estimator]())
    last = folder / "last.ckpt"
    callbacks = [
        InitializeCodebooks(vectors=200, iterations=3),
        MaintainCodebooks(period=4, threshold=0.9, until=0.9, alarm=0.1),
        AverageWeights(decay=0.9),
        ModelCheckpoint(folder, "last", every_n_train_steps=every, enable_version_counter=False),
        *([end] if end else []),
    ]
    Trainer(
        **{"max_steps": STEPS, "val_check_interval": 4, "check_val_every_n_epoch": None} | trainer,
        num_sanity_val_steps=0,
        accelerator="cpu",
        callbacks=callbacks,
        plugins=AtomicCheckpoints(),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module, Crops(8, workers), ckpt_path=last if last.exists() else None, weights_only=True)
    return module.state_dict()


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """The weights after trainings that nothing disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PL_GLOBAL_SEED", "7")
        return {name: train(tmp_path_factory.mktemp(name), name) for name in ESTIMATORS}


@pytest.mark.slow
@pytest.mark.filterwarnings("error:.*dataloader is not resumable")
@pytest.mark.parametrize(
    ("every", "moment"),
    [
        (3, Raise(8)),  # between checkpoints, in the middle of an epoch
        (5, Raise(5)),  # just after the checkpoint of an epoch's last step
        (4, Raise(4, validating=True)),  # in the validation after a checkpoint
        (2, Raise(8, validating=True)),
        (1, Raise(12)),  # one step before the end
        (13, Raise(13)),  # when nothing is left to do
    ],
)
@pytest.mark.parametrize("estimator", ["nsvq_diveq", "ema"])
def test_a_killed_training_ends_with_the_same_weights(tmp_path, whole, estimator, every, moment):
    with pytest.raises(Killed):
        train(tmp_path, estimator, every, moment)
    assert equal(train(tmp_path, estimator, every, NOT_FROM_THE_START), whole[estimator])


@pytest.mark.slow
@pytest.mark.parametrize("moment", [Raise(5), Raise(8)], ids=["before the change", "after it"])
@pytest.mark.parametrize("estimator", ["nsvq_ema", "ema_diveq"])
def test_estimators_with_a_state_may_follow_one_another(tmp_path, whole, estimator, moment):
    with pytest.raises(Killed):
        train(tmp_path, estimator, 2, moment)
    assert equal(train(tmp_path, estimator, 2, NOT_FROM_THE_START), whole[estimator])


@pytest.mark.slow
def test_a_training_may_be_killed_again_and_again(tmp_path, whole):
    for step in (3, 5, 6, 10, 11, 13):
        with pytest.raises(Killed):
            train(tmp_path, "nsvq_diveq", 1, Raise(step))
    assert equal(train(tmp_path, "nsvq_diveq", 1, NOT_FROM_THE_START), whole["nsvq_diveq"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"accumulate_grad_batches": 2}, {"limit_train_batches": 3}, {"max_steps": -1, "max_epochs": 3}],
    ids=lambda changes: next(iter(changes)),
)
def test_so_it_does_however_the_epochs_are_cut(tmp_path, changes):
    undisturbed = train(tmp_path / "whole", "nsvq_diveq", **changes)
    with pytest.raises(Killed):
        train(tmp_path, "nsvq_diveq", 5, Raise(6), **changes)
    assert equal(train(tmp_path, "nsvq_diveq", 5, NOT_FROM_THE_START, **changes), undisturbed)


@pytest.mark.slow
def test_it_may_go_on_with_another_number_of_workers(tmp_path, whole):
    with pytest.raises(Killed):
        train(tmp_path, "nsvq_diveq", 3, Raise(7), workers=2)
    assert equal(train(tmp_path, "nsvq_diveq", 3, NOT_FROM_THE_START, workers=1), whole["nsvq_diveq"])


class Push(Raise):
    """Pushes all codewords of a codebook but one out of reach whenever a training starts, and ends it at its step."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        pl_module.autoencoder.quantizer.codebooks.data[1, 1:] += 100


def test_a_dead_codebook_is_not_announced_again(tmp_path):
    with pytest.warns(UserWarning, match="codebook 1 has collapsed"), pytest.raises(Killed):
        train(tmp_path, "nsvq_diveq", 4, Push(5))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="codebook 1 has collapsed")
        train(tmp_path, "nsvq_diveq", 4, Push(0))


def test_a_checkpoint_stays_until_the_next_one_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"step": 1}, path)

    def die_half_way(checkpoint: dict[str, Any], file: Path) -> None:
        file.write_bytes(b"half")
        assert torch.load(path) == {"step": 1}
        raise Killed

    monkeypatch.setattr(torch, "save", die_half_way)
    with pytest.raises(Killed):
        AtomicCheckpoints().save_checkpoint({"step": 2}, path)
    assert torch.load(path) == {"step": 1}
