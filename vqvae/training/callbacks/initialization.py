"""Codebooks that start from what really reaches the quantiser."""

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer

from vqvae.training.base import QuantizerTraining


class InitializeCodebooks(Callback):
    """Fits the codebooks to what reaches the quantiser before the first step; a resumed training keeps what it has.

    In a distributed training the outputs of all processes are used, and all begin with the same codebooks.

    Args:
        vectors: how many vectors to fit to.
        iterations: of `Quantizer.fit`; few, since the training goes on.
    """

    def __init__(self, vectors: int, iterations: int):
        self.vectors = vectors
        self.iterations = iterations

    @torch.no_grad()
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            return
        assert isinstance(pl_module, QuantizerTraining) and trainer.train_dataloader is not None
        share = -(-self.vectors // trainer.world_size)
        outputs: list[torch.Tensor] = []
        # A loader of its own: one with workers that stay has a single iterator, and the training has begun it
        data: LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
        for batch in data.train_dataloader() if data else trainer.train_dataloader:
            outputs.append(pl_module.vectors(batch.to(pl_module.device)))
            if sum(map(len, outputs)) >= share:
                break
        gathered = pl_module.all_gather(torch.cat(outputs)[:share])
        assert isinstance(gathered, torch.Tensor)
        quantizer = pl_module.quantizer
        quantizer.fit(gathered.flatten(0, -2), self.iterations)
        quantizer.codebooks.copy_(trainer.strategy.broadcast(quantizer.codebooks))
