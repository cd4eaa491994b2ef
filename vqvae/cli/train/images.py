"""Training of an autoencoder for images, up to its model file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, seed_everything
from rich.progress import track

from vqvae.cli.train import common
from vqvae.cli.train.showcase import load_photos, show
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.entropy import EntropyModel
from vqvae.errors import ConfigError, VqvaeError
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, read_model, round_to_half, save_model
from vqvae.models.store import find_model
from vqvae.quantizers import CodebookQuantizer
from vqvae.training import ImageCompression
from vqvae.training.callbacks import StopWhenDiverged
from vqvae.training.entropy import Fitted


def train(cfg: DictConfig, output: Path, module: Callable[..., ImageCompression]) -> None:
    """Trains, tests, writes the model file, and says where it is.

    Args:
        cfg: as in conf/train.yaml.
        output: folder of the run.
        module: makes the LightningModule.
    """
    photos = load_photos(cfg.showcase)
    config: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    autoencoder = build_autoencoder(config)
    autoencoder.quantizer.set_estimator(instantiate(cfg.estimator))
    entropy_model = build_entropy_model(config["entropy"], autoencoder)
    if cfg.weights:
        load_weights(autoencoder, entropy_model, cfg.weights)
    data: LightningDataModule = instantiate(cfg.data)
    check_crop(data, autoencoder.stride)
    training = module(autoencoder, **instantiate(cfg.optimizer))
    trainer = common.make_trainer(cfg)
    done = common.fit(trainer, training, data, common.checkpoint_to_resume(cfg, output))

    round_to_half(autoencoder)
    StopWhenDiverged().check_weights(trainer, training)  # what is too large for half precision is infinite now
    metrics = trainer.test(training, data, verbose=False)[0]
    if not trainer.is_global_zero:
        return
    reached = training.reached(metrics)
    fitted = fit_entropy_model(entropy_model, training, data, cfg.seed)
    reached["payload_bpp"] = fitted.payload_bpp
    about = {"training": common.settings(cfg), "steps": done["steps"], "test": reached}
    if training.qualities:
        config["qualities"] = training.qualities
    if cfg.weights:
        about["weights"] = {"name": Path(cfg.weights).stem, "about": read_model(find_model(cfg.weights)).about}
    path = output / f"{cfg.name}.safetensors"
    save_model(path, config, autoencoder, entropy_model, about, typical_bits=fitted.typical_bits)
    print(f"model: {path}")
    print(
        f"test:  PSNR {reached['psnr_dataset']:.2f} dB, SSIM {reached['ssim']:.4f}, "
        f"{reached['payload_bpp']:.3f} bpp (fixed width: {autoencoder.bits_per_pixel:.3f})"
    )
    common.write_result(output, {"model": config, **about, **done})
    show(load_codec(path), photos, output)


def check_crop(data: LightningDataModule, stride: int) -> None:
    """Raises ConfigError where crops cannot be cut into whole vectors."""
    crop = getattr(data, "crop", stride)
    if crop % stride:
        fitting = crop - crop % stride or stride
        raise ConfigError(
            f"data.crop={crop}: {crop}×{crop} pixels cannot be cut into whole vectors of {stride}×{stride}: "
            f"set a multiple of {stride}, such as {fitting}"
        )


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
    ours, theirs = autoencoder.quantizer, codec.autoencoder.quantizer
    codebooks = [part.codebooks for part in (ours, theirs) if isinstance(part, CodebookQuantizer)]
    if len(codebooks) == 2 and codebooks[0].shape == codebooks[1].shape:
        codebooks[0].data.copy_(codebooks[1])
    tables = codec.entropy_model.state_dict()
    if {key: table.shape for key, table in tables.items()} == {
        key: table.shape for key, table in entropy_model.state_dict().items()
    }:
        entropy_model.load_state_dict(tables)


def fit_entropy_model(
    entropy_model: EntropyModel, training: ImageCompression, data: LightningDataModule, seed: int
) -> Fitted:
    """Fits it to an epoch of training images, and measures it on the test images."""
    training.eval()
    seed_everything(seed, workers=True, verbose=False)  # the same draws, wherever the training was resumed
    images = track(data.train_dataloader(), "indices", transient=True)
    show_progress = partial(track, description="entropy model")
    return training.fit_entropy_model(entropy_model, images, data.test_dataloader(), show_progress)
