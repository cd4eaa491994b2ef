"""What the callbacks do to a training, seen from outside."""

from functools import partial

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch.utils.data import DataLoader

from tests.conftest import TINY_MODEL
from vqvae.codec.autoencoder import normalize, to_vectors
from vqvae.data.base import ImagesInMemory
from vqvae.models.build import build_autoencoder
from vqvae.quantizers import DiVeQ, ScheduledEstimator, StraightThrough, count_usage
from vqvae.training import ImageCompression
from vqvae.training.callbacks import AverageWeights, InitializeCodebooks, MaintainCodebooks


@pytest.fixture
def module() -> ImageCompression:
    scheduler = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=1e-2)
    return ImageCompression(build_autoencoder(TINY_MODEL), torch.optim.AdamW, scheduler)


@pytest.fixture
def images() -> torch.Tensor:
    smooth = torch.nn.functional.interpolate(torch.rand(64, 3, 5, 5), size=(16, 16), mode="bilinear")
    return (255 * smooth).to(torch.uint8)


def train(module: ImageCompression, images: torch.Tensor, steps: int, *callbacks: Callback) -> Trainer:
    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(ImagesInMemory(images), 16, collate_fn=lambda batch: batch)  # type: ignore[arg-type]
    trainer.fit(module, loader)
    return trainer


class Collapse(Callback):
    """Pushes half of the codewords out of reach, once."""

    def on_train_start(self, trainer, pl_module):
        pl_module.autoencoder.quantizer.codebooks.data[:, ::2] += 100


def usage_after(module: ImageCompression, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        indices = module.autoencoder.encode(normalize(images)).flatten(0, 2)
    return count_usage(indices, module.autoencoder.quantizer.codebook_size)


def test_training_lowers_the_error(module, images):
    def error() -> float:
        with torch.no_grad():
            pictures = normalize(images)
            decoded = module.autoencoder.decode(module.autoencoder.encode(pictures))
            return float((decoded - pictures).square().mean())

    before = error()
    train(module, images, 100, InitializeCodebooks(vectors=1000, iterations=10))
    assert error() < 0.6 * before


def test_codebooks_start_as_a_fit_of_real_encoder_outputs(module, images):
    def relative_error() -> float:
        with torch.no_grad():
            vectors = to_vectors(module.autoencoder.encoder(normalize(images)))
            quantizer = module.autoencoder.quantizer
            quantized = quantizer.decode(quantizer.encode(vectors))
        return float((vectors - quantized).square().sum() / (vectors - vectors.mean(0)).square().sum())

    before = relative_error()
    module.configure_optimizers = lambda: torch.optim.SGD(module.autoencoder.parameters(), lr=0.0)
    train(module, images, 1, InitializeCodebooks(vectors=1000, iterations=20))
    assert relative_error() < 0.2 < before


def test_codewords_out_of_reach_stay_unused_without_replacement_and_come_back_with_it(module, images):
    train(module, images, 20, Collapse())
    assert (usage_after(module, images)[:, ::2] == 0).all()
    train(module, images, 20, MaintainCodebooks(period=5, threshold=0.05, until=1.0, alarm=0.1))
    assert (usage_after(module, images)[:, ::2] > 0).float().mean() > 0.7


def test_nothing_is_replaced_in_the_last_stretch(module, images):
    train(module, images, 20, Collapse(), MaintainCodebooks(period=5, threshold=0.05, until=0.0, alarm=0.1))
    assert (usage_after(module, images)[:, ::2] == 0).all()


def test_usage_perplexity_and_replacements_are_logged_for_each_codebook(module, images):
    trainer = train(module, images, 10, Collapse(), MaintainCodebooks(period=5, threshold=0.05, until=0.6, alarm=0.1))
    for stage in range(3):
        assert 0 < trainer.logged_metrics[f"codebook_{stage}/usage"] <= 1
        assert 1 <= trainer.logged_metrics[f"codebook_{stage}/perplexity"] <= 8
        assert trainer.logged_metrics[f"codebook_{stage}/replaced"] == 0  # the last look comes after 0.6


def test_replaced_codewords_start_without_the_optimisers_memory_of_the_old_ones(module, images):
    seen = {}

    class Watch(MaintainCodebooks):
        """Looks at the moments right after the replacement."""

        def on_train_batch_end(self, trainer, pl_module, *rest):
            super().on_train_batch_end(trainer, pl_module, *rest)
            if trainer.global_step == 5:
                state = trainer.optimizers[0].state[pl_module.autoencoder.quantizer.codebooks]
                seen.update({name: state[name].clone() for name in ("exp_avg", "exp_avg_sq")})

    class Disturb(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            pl_module.autoencoder.quantizer.codebooks.grad += 1  # so that every codeword has moments

    train(module, images, 6, Collapse(), Disturb(), Watch(period=5, threshold=0.05, until=1.0, alarm=0.1))
    for name in ("exp_avg", "exp_avg_sq"):
        assert (seen[name][:, ::2] == 0).all()  # those that Collapse pushed out of reach
        assert (seen[name] != 0).any()


def test_a_codebook_that_dies_is_named_in_one_warning_and_replacement_revives_it(module, images):
    class Push(Callback):
        """Pushes all codewords but one out of reach, once."""

        def on_train_start(self, trainer, pl_module):
            pl_module.autoencoder.quantizer.codebooks.data[1, 1:] += 100

    initialize = InitializeCodebooks(vectors=1000, iterations=10)
    with pytest.warns(UserWarning, match=r"codebook 1 has collapsed.* only 1 of its 8 codewords") as warned:
        train(module, images, 20, initialize, Push(), MaintainCodebooks(period=5, threshold=0.05, until=0.0, alarm=0.1))
    assert sum("has collapsed" in str(warning.message) for warning in warned) == 1
    assert (usage_after(module, images)[1] > 0).sum() == 1
    with pytest.warns(UserWarning, match="codebook 1 has collapsed"):
        train(module, images, 40, MaintainCodebooks(period=5, threshold=0.05, until=1.0, alarm=0.1))
    assert (usage_after(module, images)[1] > 0).sum() >= 7


def test_healthy_codebooks_raise_no_alarm(module, images, recwarn):
    initialize = InitializeCodebooks(vectors=1000, iterations=10)
    train(module, images, 20, initialize, MaintainCodebooks(period=5, threshold=0.05, until=1.0, alarm=0.1))
    assert not [warning for warning in recwarn if "collapsed" in str(warning.message)]


def test_the_estimator_changes_at_its_share_of_the_training(module, images):
    seen = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            seen.append(type(pl_module.autoencoder.quantizer.estimator.active))

    module.autoencoder.quantizer.set_estimator(ScheduledEstimator(StraightThrough(), DiVeQ(), start=0.7))
    train(module, images, 10, Watch())
    assert seen == [StraightThrough] * 7 + [DiVeQ] * 3


def test_averaged_weights_are_the_exponential_mean_with_a_growing_decay(module, images):
    history = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            history.append(pl_module.autoencoder.quantizer.codebooks.detach().clone())

    train(module, images, 12, Watch(), AverageWeights(decay=0.5))
    expected = history[0]
    for number, weights in enumerate(history[1:], start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * weights
    torch.testing.assert_close(module.autoencoder.quantizer.codebooks.detach(), expected)
    assert not torch.allclose(expected, history[-1])


def test_validation_measures_the_psnr_of_all_images_together(module, images):
    (reached,) = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False).test(
        module,
        DataLoader(ImagesInMemory(images), 24, collate_fn=lambda batch: batch),  # type: ignore[arg-type]
        verbose=False,
    )
    from vqvae.codec.autoencoder import to_pixels

    with torch.no_grad():
        decoded = to_pixels(module.autoencoder.eval()(normalize(images)).images)
    error = (decoded.double() - images.double()).square().mean()
    assert reached["test/psnr"] == pytest.approx(float(10 * torch.log10(255**2 / error)), abs=1e-3)
