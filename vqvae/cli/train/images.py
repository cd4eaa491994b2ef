"""Training of an autoencoder for images, up to its model file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, seed_everything
from rich.progress import track
from torch import nn

from vqvae.cli.train import common
from vqvae.cli.train.showcase import load_photos, show
from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.entropy import EntropyModel
from vqvae.errors import ConfigError, VqvaeError
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, read_model, round_to_half, save_model
from vqvae.models.store import find_model
from vqvae.training import ImageCompression
from vqvae.training.callbacks import StopWhenDiverged
from vqvae.training.entropy import Fitted


def train(cfg: DictConfig, output: Path, module: Callable[..., ImageCompression]) -> None:
    """Trains, tests, and writes the model file.

    Args:
        cfg: as in conf/train.yaml.
        output: folder of the run.
        module: returns the LightningModule.
    """
    photos = load_photos(cfg.showcase)
    config: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    autoencoder = build_autoencoder(config)
    autoencoder.quantizer.set_estimator(instantiate(cfg.estimator))
    entropy_model = build_entropy_model(config["entropy"], autoencoder)
    origin = load_codec(find_model(cfg.weights)) if cfg.weights else None
    if origin:
        load_weights(autoencoder, entropy_model, origin, cfg.weights)
    data: LightningDataModule = instantiate(cfg.data)
    check_crop(data, autoencoder.stride)
    training = module(autoencoder, **instantiate(cfg.optimizer))
    trainer = common.make_trainer(cfg)
    done = common.fit(trainer, training, data, common.checkpoint_to_resume(cfg, output))

    round_to_half(autoencoder)
    StopWhenDiverged().check_weights(trainer, training)  # half precision overflows to infinity
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
    origin_id = origin.model_id if origin else None
    save_model(path, config, autoencoder, entropy_model, about, origin_id, typical_bits=fitted.typical_bits)
    print(f"model: {path}")
    print(
        f"test:  PSNR {reached['psnr_dataset']:.2f} dB, SSIM {reached['ssim']:.4f}, "
        f"{reached['payload_bpp']:.3f} bpp (fixed width: {autoencoder.bits_per_pixel:.3f})"
    )
    common.write_result(output, {"model": config, **about, **done})
    show(load_codec(path), photos, output)


def check_crop(data: LightningDataModule, stride: int) -> None:
    """Raises ConfigError if the crop is not a multiple of the stride."""
    crop = getattr(data, "crop", stride)
    if crop % stride:
        fitting = crop - crop % stride or stride
        raise ConfigError(
            f"data.crop={crop}: the crop must be a multiple of the network's stride, {stride}: set {fitting}"
        )


def load_weights(autoencoder: AutoEncoder, entropy_model: EntropyModel, origin: ImageCodec, name: str) -> None:
    """Starts from the networks of another model, and from its codebooks and tables where shapes agree.

    Args:
        autoencoder: whose weights are set.
        entropy_model: whose tables are set.
        origin: the codec of the other model.
        name: the `weights=` that named it, for messages.

    Raises:
        VqvaeError: its encoder or decoder is another network.
    """
    for part in ("encoder", "decoder"):
        try:
            getattr(autoencoder, part).load_state_dict(getattr(origin.autoencoder, part).state_dict())
        except RuntimeError:
            raise VqvaeError(f"weights={name}: these are not weights of the {part} that is set") from None
    skipped = [
        what
        for what, ours, theirs in (
            ("codebooks", autoencoder.quantizer, origin.autoencoder.quantizer),
            ("entropy model", entropy_model, origin.entropy_model),
        )
        if not _load_if_alike(ours, theirs)
    ]
    if skipped:
        print(f"weights={name}: its {' and '.join(skipped)} are not used, as they have other shapes here")


def _load_if_alike(ours: nn.Module, theirs: nn.Module) -> bool:
    """Copies a module's state, without that of its estimator, if names and shapes agree; returns whether they do."""
    target, source = (
        {key: tensor for key, tensor in module.state_dict().items() if not key.startswith("estimator.")}
        for module in (ours, theirs)
    )
    alike = {key: tensor.shape for key, tensor in target.items()} == {k: t.shape for k, t in source.items()}
    if alike:
        ours.load_state_dict(source, strict=False)
    return alike


def fit_entropy_model(
    entropy_model: EntropyModel, training: ImageCompression, data: LightningDataModule, seed: int
) -> Fitted:
    """Fits the entropy model to an epoch of training images, and measures it on the test images."""
    training.eval()
    seed_everything(seed, workers=True, verbose=False)  # the same draws in a resumed training
    show_progress = partial(track, description="entropy model", transient=True)
    return training.fit_entropy_model(entropy_model, data.train_dataloader(), data.test_dataloader(), show_progress)
