"""Codebooks that start from what the encoder really puts out."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from vqvae.autoencoder import normalize, to_vectors
from vqvae.training.module import ImageCompression


class InitializeCodebooks(Callback):
    """Fits the codebooks to encoder outputs before the first step; a resumed training keeps what it has.

    Args:
        vectors: encoder outputs to fit to.
        iterations: rounds of k-means for each codebook.
    """

    def __init__(self, vectors: int, iterations: int):
        self.vectors = vectors
        self.iterations = iterations

    @torch.no_grad()
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            return
        assert isinstance(pl_module, ImageCompression) and trainer.train_dataloader is not None
        autoencoder = pl_module.autoencoder
        outputs: list[torch.Tensor] = []
        for batch in trainer.train_dataloader:
            latent = autoencoder.encoder(normalize(batch.to(pl_module.device)))
            outputs.append(to_vectors(latent).float())
            if sum(map(len, outputs)) >= self.vectors:
                break
        autoencoder.quantizer.fit(torch.cat(outputs)[: self.vectors], self.iterations)
