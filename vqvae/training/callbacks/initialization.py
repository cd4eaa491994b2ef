"""Initialisation of codebooks and transforms from data."""

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
    """Fits the codebooks to encoder outputs before the first step; a resumed training keeps its codebooks.

    In a distributed training the outputs of all processes are used, and all start with the same codebooks.

    Args:
        vectors: number of vectors to fit to.
        iterations: of `QuantizerTraining.fit_codebooks`; few, since training continues.
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
    """Initialises lapped transforms by the principal components of pixel blocks; before the codebooks are fitted.

    Components are distributed so that the sub-vectors of product VQ have similar variance: the largest components go to
    one sub-vector each, the next ones in reverse order, and so on.

    Args:
        blocks: number of blocks to compute them from.
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
            raise ConfigError(
                f"{names} have no lapped transforms to initialise: set network=lapped or callbacks=default"
            )
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
    """`number` vectors from the first batches, or all of an epoch if these are fewer; of all processes."""
    assert trainer.train_dataloader is not None
    share = -(-number // trainer.world_size)
    made: list[Tensor] = []
    # A separate loader: one with persistent workers has a single iterator, which the training is using
    data: LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    for batch in data.train_dataloader() if data else trainer.train_dataloader:
        made.append(make(batch.to(pl_module.device)))
        if sum(map(len, made)) >= share:
            break
    gathered = pl_module.all_gather(torch.cat(made)[:share])
    assert isinstance(gathered, Tensor)
    return gathered.flatten(0, -2)
