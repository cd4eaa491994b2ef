"""Replacement of unused codewords."""

from typing import Any

import torch
from jaxtyping import Bool, Int64
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from vqvae.quantizers import CodebookQuantizer, count_usage, perplexity, replace_unused, usage
from vqvae.training.base import QuantizerTraining


class MaintainCodebooks(Callback):
    """Logs each codebook's usage and perplexity, replaces unused codewords, and warns when a codebook dies.

    In a distributed training all processes use the counts of all, and the same random draws. Counts since the last
    check are part of checkpoints.

    Args:
        period: training steps between two checks of the codebooks.
        threshold: a codeword counts as unused below this fraction of uniform use.
        until: fraction of the training after which nothing is replaced, so that it can converge.
        alarm: a codebook has collapsed if at most this fraction of its codewords was used between two checks, although
            there were enough vectors for all of them.
    """

    def __init__(self, period: int, threshold: float, until: float, alarm: float):
        self.period = period
        self.threshold = threshold
        self.until = until
        self.alarm = alarm
        self.counts: Tensor | None = None
        self.dead: set[int] = set()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, QuantizerTraining)
        quantizer = pl_module.quantizer
        if not isinstance(quantizer, CodebookQuantizer):  # nothing to replace
            return
        counts = count_usage(outputs["indices"], quantizer.codebook_size)
        self.counts = counts if self.counts is None else self.counts + counts
        if trainer.global_step % self.period:
            return
        counts = _of_all_processes(pl_module, self.counts)
        self.counts = None
        self._warn(counts, trainer.global_step)
        replaced = torch.zeros_like(counts, dtype=torch.bool)
        if trainer.global_step < self.until * float(trainer.estimated_stepping_batches):
            draws = torch.Generator(counts.device).manual_seed(trainer.global_step)
            replaced = replace_unused(quantizer.codebooks, counts, self.threshold, draws)
            _forget(trainer, quantizer.codebooks, replaced)
        shown = {"usage": usage(counts), "perplexity": perplexity(counts), "replaced": replaced.sum(1)}
        for name, values in shown.items():
            for stage, value in enumerate(values.tolist()):
                pl_module.log(f"codebook_{stage}/{name}", float(value))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        counts = None if self.counts is None else _of_all_processes(pl_module, self.counts)
        checkpoint["codebook_maintenance"] = {"counts": counts, "dead": sorted(self.dead)}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("codebook_maintenance", {"counts": None, "dead": []})
        self.dead = set(saved["dead"])
        if saved["counts"] is not None and trainer.is_global_zero:  # in one process: they are the sums over all
            self.counts = saved["counts"].to(trainer.strategy.root_device)

    def _warn(self, counts: Tensor, step: int) -> None:
        size = counts.shape[1]
        for stage, used in enumerate((counts > 0).sum(1).tolist()):
            if used <= max(1, self.alarm * size) and counts[stage].sum() >= 10 * size and stage not in self.dead:
                self.dead.add(stage)
                rank_zero_warn(
                    f"codebook {stage} has collapsed: in the last {self.period} batches before step {step} only "
                    f"{used} of its {size} codewords were used. Try a lower learning rate, estimator=nsvq, or "
                    f"callbacks.maintain.period={max(1, self.period // 4)} to replace unused codewords more often."
                )


def _of_all_processes(pl_module: LightningModule, counts: Int64[Tensor, "M K"]) -> Int64[Tensor, "M K"]:
    gathered = pl_module.all_gather(counts)
    assert isinstance(gathered, Tensor)
    return gathered.view(-1, *counts.shape).sum(0)


def _forget(trainer: Trainer, codebooks: Tensor, replaced: Bool[Tensor, "M K"]) -> None:
    """Resets the optimisers' state of the replaced codewords, such as Adam's moments."""
    for optimizer in trainer.optimizers:
        for memory in optimizer.state.get(codebooks, {}).values():
            if isinstance(memory, Tensor) and memory.shape == codebooks.shape:
                memory[replaced] = 0
