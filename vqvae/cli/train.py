"""`train.py`, also installed as `vqvae-train`: trains what the configs say and writes one model file."""

import json
import logging
import sys
import time
import warnings
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, Trainer, seed_everything
from rich.progress import track

from vqvae.autoencoder import AutoEncoder
from vqvae.cli.showcase import show
from vqvae.coding import EntropyModel
from vqvae.errors import VqvaeError
from vqvae.files import atomic_path
from vqvae.model_file import build_entropy_model, load_codec, read_model, round_to_half, save_model
from vqvae.pretrained import find_model
from vqvae.training import ImageCompression
from vqvae.training.entropy import indices_of, payload_bpp


def config_dir() -> str:
    """Where the yaml files are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


RECORDED = ["seed", "estimator", "data", "optimizer", "trainer", "callbacks"]
"""What a model file tells of its training, ..."""

PATHS = {"root", "dirpath", "default_root_dir"}
"""... and what of that is nobody's business."""


@hydra.main(version_base=None, config_path=config_dir(), config_name="train")
def main(cfg: DictConfig) -> None:
    """Trains, tests, writes the model file, and says where it is."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*isinstance.treespec, LeafSpec.*"):
        warnings.filterwarnings("ignore", message=message)
    try:
        train(cfg)
    except VqvaeError as error:
        sys.exit(f"error: {error}")
    except InstantiationException as error:
        if isinstance(error.__cause__, VqvaeError | ValueError):
            sys.exit(f"error: {error.__cause__}")
        raise


def train(cfg: DictConfig) -> None:
    """What `main` does, with errors passed on."""
    output = Path(HydraConfig.get().runtime.output_dir)
    result = output / "result.json"
    if result.is_file():
        print(f"{output}: done already")
        return
    seed_everything(cfg.seed, workers=True, verbose=False)
    config: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    autoencoder = AutoEncoder.from_config(config)
    autoencoder.quantizer.use(instantiate(cfg.estimator))
    entropy_model = build_entropy_model(config["entropy"], autoencoder)
    if cfg.weights:
        load_weights(autoencoder, entropy_model, cfg.weights)
    data: LightningDataModule = instantiate(cfg.data)
    module = ImageCompression(autoencoder, **instantiate(cfg.optimizer))
    trainer: Trainer = instantiate(
        cfg.trainer,
        callbacks=list(instantiate(cfg.callbacks).values()),
        logger=list(instantiate(cfg.logger).values()),
        enable_model_summary=False,
    )
    checkpoint = output / "checkpoints" / "last.ckpt"
    resume = cfg.resume or (checkpoint if checkpoint.is_file() else None)
    if cfg.resume and not Path(cfg.resume).is_file():
        raise VqvaeError(f"resume={cfg.resume}: no such checkpoint")
    start = time.monotonic()
    if cfg.trainer.max_steps:
        trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    seconds = time.monotonic() - start

    round_to_half(autoencoder)
    reached = trainer.test(module, data, verbose=False)[0]
    if not trainer.is_global_zero:
        return
    bpp = fit_entropy_model(entropy_model, autoencoder, data, cfg.seed)
    path = output / f"{cfg.name}.safetensors"
    about = {
        "training": _without_paths(OmegaConf.to_container(OmegaConf.masked_copy(cfg, RECORDED), resolve=True)),
        "steps": trainer.global_step,
        "test": {"psnr_dataset": reached["test/psnr"], "ssim": reached["test/ssim"], "payload_bpp": bpp},
    }
    if cfg.weights:
        about["weights"] = {"name": Path(cfg.weights).stem, "about": read_model(find_model(cfg.weights)).about}
    save_model(path, config, autoencoder, entropy_model, about)
    with atomic_path(result) as temporary:
        temporary.write_text(json.dumps({"model": config, **about, **circumstances(module, seconds)}, indent=1) + "\n")
    print(f"model: {path}")
    psnr, ssim = reached["test/psnr"], reached["test/ssim"]
    print(f"test:  PSNR {psnr:.2f} dB, SSIM {ssim:.4f}, {bpp:.3f} bpp (fixed width: {autoencoder.bits_per_pixel:.3f})")
    show(load_codec(path), cfg.showcase, output)


def circumstances(module: ImageCompression, seconds: float) -> dict[str, Any]:
    """When a training ended, how long it took, and on what."""
    cpu = f"CPU with {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    device = torch.cuda.get_device_name(module.device) if module.device.type == "cuda" else cpu
    return {"date": str(date.today()), "seconds": round(seconds), "device": device, "torch": torch.__version__}


def load_weights(autoencoder: AutoEncoder, entropy_model: EntropyModel, name: str) -> None:
    """Starts from the networks of a model file or a shipped model, and from its codebooks and tables where they fit.

    Raises:
        VqvaeError: they are those of other networks.
    """
    codec = load_codec(find_model(name))
    for part in ("encoder", "decoder"):
        try:
            getattr(autoencoder, part).load_state_dict(getattr(codec.autoencoder, part).state_dict())
        except RuntimeError:
            raise VqvaeError(f"weights={name}: these are not weights of the {part} that is set") from None
    codebooks, given = autoencoder.quantizer.codebooks, codec.autoencoder.quantizer.codebooks
    if codebooks.shape == given.shape:
        codebooks.data.copy_(given)
    tables = codec.entropy_model.state_dict()
    if {key: table.shape for key, table in tables.items()} == {
        key: table.shape for key, table in entropy_model.state_dict().items()
    }:
        entropy_model.load_state_dict(tables)


def fit_entropy_model(
    entropy_model: EntropyModel, autoencoder: AutoEncoder, data: LightningDataModule, seed: int
) -> float:
    """Fits it to an epoch of training images, and returns what the test images take, in bits per pixel."""
    if not list(entropy_model.buffers()):  # it has no tables to learn
        return autoencoder.bits_per_pixel
    seed_everything(seed, workers=True, verbose=False)  # the same draws, wherever the training was resumed
    indices = indices_of(autoencoder, track(data.train_dataloader(), "indices", transient=True))
    entropy_model.fit(indices, autoencoder.quantizer.parts().cpu(), partial(track, description="entropy model"))
    return payload_bpp(entropy_model, indices_of(autoencoder, data.test_dataloader()), autoencoder.stride)


def _without_paths(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_paths(value) for key, value in config.items() if key not in PATHS}
    return config
