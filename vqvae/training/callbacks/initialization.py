"""Codebooks and transforms that start from what they will be given."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor

from vqvae.codec.autoencoder import normalize, to_vectors
from vqvae.errors import ConfigError
from vqvae.networks.lapped import LappedAnalysis, LappedSynthesis
from vqvae.quantizers import CodebookQuantizer
from vqvae.training.base import QuantizerTraining
from vqvae.training.images import ImageCompression


class InitializeCodebooks(Callback):
    """Fits the codebooks to what reaches the quantiser before the first step; a resumed training keeps what it has.

    In a distributed training the outputs of all processes are used, and all begin with the same codebooks.

    Args:
        vectors: how many vectors to fit to.
        iterations: of `QuantizerTraining.fit_codebooks`; few, since the training goes on.
    """

    def __init__(self, vectors: int, iterations: int):
        self.vectors = vectors
        self.iterations = iterations

    @torch.no_grad()
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            return
        assert isinstance(pl_module, QuantizerTraining)
        vectors = _first(self.vectors, pl_module.vectors, trainer, pl_module)
        pl_module.fit_codebooks(vectors, self.iterations)
        for tensor in pl_module.fitted():
            tensor.copy_(trainer.strategy.broadcast(tensor))


class InitializeTransforms(Callback):
    """Begins lapped transforms as the principal components of blocks of pixels; before the codebooks are fitted.

    Components of large and of small variance are dealt out so that the parts of product VQ have about as much to say
    each: the largest to one part each, the next in reverse order, and so on.

    Args:
        blocks: how many to find them in.
    """

    def __init__(self, blocks: int):
        self.blocks = blocks

    @torch.no_grad()
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            return
        assert isinstance(pl_module, ImageCompression)
        encoder, decoder = pl_module.autoencoder.encoder, pl_module.autoencoder.decoder
        if not (isinstance(encoder, LappedAnalysis) and isinstance(decoder, LappedSynthesis)):
            names = f"{type(encoder).__name__} and {type(decoder).__name__}"
            raise ConfigError(f"{names} have no lapped transforms to begin: set network=lapped or callbacks=default")
        side, quantizer = encoder.stride, pl_module.quantizer
        assert isinstance(quantizer, CodebookQuantizer)

        def cut(batch: Tensor) -> Tensor:
            return to_vectors(F.pixel_unshuffle(normalize(batch), side))

        blocks = _first(self.blocks, cut, trainer, pl_module).double()
        components = torch.linalg.eigh(blocks.T.cov())[1].T.flip(0)[: quantizer.dim]
        rows = components.unflatten(0, (-1, quantizer.pieces))  # each row from the largest variance to the smallest
        rows[1::2] = rows[1::2].flip(1)
        shape = (3, side, side)
        basis = rows.transpose(0, 1).reshape(-1, *shape).float()
        for network in (encoder, decoder):
            network.initialize_from_basis(basis, blocks.mean(0).view(shape).float())


def _first(
    number: int, make: Callable[[Tensor], Float[Tensor, "n D"]], trainer: Trainer, pl_module: LightningModule
) -> Float[Tensor, "m D"]:
    """So many vectors made of the first batches, or what an epoch gives; those of all processes."""
    assert trainer.train_dataloader is not None
    share = -(-number // trainer.world_size)
    made: list[Tensor] = []
    # A loader of its own: one with workers that stay has a single iterator, and the training has begun it
    data: LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    for batch in data.train_dataloader() if data else trainer.train_dataloader:
        made.append(make(batch.to(pl_module.device)))
        if sum(map(len, made)) >= share:
            break
    gathered = pl_module.all_gather(torch.cat(made)[:share])
    assert isinstance(gathered, Tensor)
    return gathered.flatten(0, -2)
