"""The learning-rate schedule of conf/optimizer, for any number of steps."""

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from tests.contracts.configs import CONF, names


@pytest.mark.parametrize("name", names("optimizer"))
def test_it_rises_and_falls_in_as_many_steps_as_there_are(name):
    config = OmegaConf.create({"optimizer": OmegaConf.load(CONF / "optimizer" / f"{name}.yaml")}).optimizer
    for steps in [*range(2, 300), 12000]:
        parameter = torch.zeros(1, requires_grad=True)
        optimizer = instantiate(config.optimizer)([parameter])
        schedule = instantiate(config.scheduler)(optimizer, total_steps=steps)
        rates = [schedule.get_last_lr()[0]]
        for _ in range(steps - 1):
            optimizer.step()
            schedule.step()
            rates.append(schedule.get_last_lr()[0])
        assert max(rates) <= config.optimizer.lr * 1.001 and rates[-1] < config.optimizer.lr / 1000
