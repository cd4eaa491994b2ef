"""Codebooks that stay in use."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from vqvae.quantizers import count_usage, perplexity, replace_unused, usage
from vqvae.training.module import ImageCompression


class MaintainCodebooks(Callback):
    """Logs each codebook's usage and perplexity, and replaces unused codewords.

    Args:
        period: training steps between two looks at the codebooks.
        threshold: a codeword counts as unused below this share of an even use.
        until: share of the training after which nothing is replaced any more, so that the end can settle.
    """

    def __init__(self, period: int, threshold: float, until: float):
        self.period = period
        self.threshold = threshold
        self.until = until
        self.counts: torch.Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ImageCompression)
        quantizer = pl_module.autoencoder.quantizer
        counts = count_usage(outputs["indices"], quantizer.codebook_size)
        self.counts = counts if self.counts is None else self.counts + counts
        if trainer.global_step % self.period:
            return
        replaced = torch.zeros(quantizer.stages, dtype=torch.int64)
        if trainer.global_step < self.until * float(trainer.estimated_stepping_batches):
            replaced = replace_unused(quantizer.codebooks, self.counts, self.threshold)
        shown = {"usage": usage(self.counts), "perplexity": perplexity(self.counts), "replaced": replaced}
        for name, values in shown.items():
            for stage, value in enumerate(values.tolist()):
                pl_module.log(f"codebook_{stage}/{name}", float(value))
        self.counts = None
