"""Training of a quantiser on vectors, without a network."""

from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from vqvae.cli.train import common
from vqvae.data.texmex import VectorSet
from vqvae.data.vectors import VectorDataModule
from vqvae.evaluation.recall import RANKS, recall
from vqvae.models.file import save_quantizer
from vqvae.quantizers import Quantizer
from vqvae.search import Index
from vqvae.training import VectorCompression


def train(cfg: DictConfig, output: Path, iterations: int) -> None:
    """Fits the codebooks, trains them by gradient descent, reports the error, and writes a file.

    Args:
        cfg: as in conf/train.yaml.
        output: folder of the run.
        iterations: of the codebook fitting.
    """
    config, quantizer = common.build_quantizer(cfg, Quantizer)
    data: VectorDataModule = instantiate(cfg.data)
    data.setup()
    module = VectorCompression(quantizer, **instantiate(cfg.optimizer))
    result = common.fit_and_train(cfg, output, module, data, data.train_set.vectors.float(), iterations)
    if result is None:
        return
    fitted, error, done = result.fitted["test/error"], result.trained["test/error"], result.done
    bits = quantizer.bits_per_vector
    test: dict[str, Any] = {"bits": bits, "fitted": fitted, "error": error, "bound": data.bound(bits)}
    print(f"test: error {error:.4g} with {bits} bits a vector (codebook fitting alone: {fitted:.4g})")
    if data.search_set:
        test["base"] = len(data.search_set.base)
        test["recall"] = recalls(quantizer, data.search_set)
        print("recall@T: " + ", ".join(f"{rank}: {share:.4f}" for rank, share in test["recall"].items()))
    about = {"training": common.settings(cfg), "steps": done["steps"], "test": test}
    path = output / f"{cfg.name}.safetensors"
    save_quantizer(path, config, quantizer, about)
    print(f"quantiser: {path}")
    common.write_result(output, {"quantizer": config, **about, **done})


def recalls(quantizer: Quantizer, vectors: VectorSet) -> dict[int, float]:
    """Recall@T of a search among the codes of the base, for T = 1, 2, 4 ... 512."""
    index = Index(quantizer)
    index.add(vectors.base)
    ranks = [rank for rank in RANKS if rank <= len(vectors.base)]
    found = index.search(vectors.queries, max(ranks)).ids
    return {rank: recall(found, vectors.neighbours, rank) for rank in ranks}
