"""Training of a speech model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from vqvae.cli.train import common
from vqvae.data.speech import Speech
from vqvae.models.speech import save_speech
from vqvae.quantizers import CodebookQuantizer
from vqvae.speech.envelope import INTERPOLATION_BITS, OCTAVE, BandMaps
from vqvae.speech.fitting import fit_mean, fit_tables
from vqvae.training.speech import SpeechCompression


def train(
    cfg: DictConfig,
    output: Path,
    bands: Callable[..., np.ndarray],
    maps: Callable[..., BandMaps],
    rounding: float,
    iterations: int,
) -> None:
    """Fits the codebooks, trains them end to end, fits the tables, and writes a model file.

    Args:
        cfg: as in conf/train.yaml.
        output: folder of the run.
        bands: returns the edges of a number of bands.
        maps: returns the matrices from bands to bins.
        rounding: of the uniform quantiser.
        iterations: of the codebook fitting.
    """
    config, quantizer = common.build_quantizer(cfg, CodebookQuantizer)
    data: Speech = instantiate(cfg.data)
    data.setup()
    edges = bands(quantizer.dim)
    matrices = maps(edges)
    interpolation = torch.from_numpy(matrices.interpolation / (1 << INTERPOLATION_BITS)).float()
    module = SpeechCompression(
        quantizer, edges.tolist(), interpolation, torch.zeros(quantizer.dim), **instantiate(cfg.optimizer)
    )
    envelopes = module.vectors(data.train_set.vectors)
    mean = fit_mean(envelopes.numpy())
    module.mean = torch.from_numpy(mean / OCTAVE).float()
    result = common.fit_and_train(cfg, output, module, data, data.train_set.vectors, iterations)
    if result is None:
        return
    fitted, trained, done = result
    model = fit_tables(quantizer.cpu().eval(), mean, edges, matrices, rounding, data.signals)
    test = {name: {"fitted": fitted[f"test/{name}"], "trained": trained[f"test/{name}"]} for name in ("bits", "error")}
    about = {"training": common.settings(cfg), "steps": done["steps"], "test": test}
    path = output / f"{cfg.name}.safetensors"
    save_speech(path, config, model, about)
    print(
        f"held out: {test['bits']['trained']:.4f} bits per bin (codebook fitting alone: {test['bits']['fitted']:.4f})"
    )
    print(f"speech model: {path}")
    common.write_result(output, {"quantizer": config, **about, **done})
