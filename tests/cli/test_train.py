"""`train.py` as a person uses it, on a few steps."""

import csv
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.training import run, train, train_in_process_of_its_own, train_vectors
from tests.conftest import reconstruct
from tests.contracts.configs import names
from vqvae.data.gaussian import Autoregressive
from vqvae.formats.vqz import split
from vqvae.media.images import read_image
from vqvae.models.file import load_codec, load_quantizer, read_model

SMALL_NETWORK = (("channels", "[4,4,4]"), ("blocks", "[1,1,1]"))
"""Of a model for all rates."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(4):
        pixels = np.random.default_rng(number).integers(256, size=(40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def folder_data(photos: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(photos.parent / "cache"))
    return ["data=folder", f"data.root={photos}", "data.crop=16"]


@pytest.mark.slow
def test_a_training_writes_model_logs_and_checkpoint_and_says_what_it_reached(tmp_path, folder_data):
    done = train(tmp_path, *folder_data, "hydra.run.dir=out", "name=mine")
    assert "out/mine.safetensors" in done.stdout and "PSNR" in done.stdout and "(fixed width: 1.000)" in done.stdout
    model = read_model(tmp_path / "out" / "mine.safetensors")
    assert model.about["steps"] == 8 and f"{model.about['test']['psnr_dataset']:.2f} dB" in done.stdout
    assert (tmp_path / "out" / "checkpoints" / "last.ckpt").exists()
    assert list((tmp_path / "out" / "tensorboard").glob("events*"))
    with (tmp_path / "out" / "csv" / "metrics.csv").open() as file:
        logged = {key for row in csv.DictReader(file) for key, value in row.items() if value}
    stages = {f"codebook_{stage}/{what}" for stage in range(4) for what in ("usage", "perplexity", "replaced")}
    assert stages | {"train/mse", "val/psnr", "val/ssim", "lr-AdamW"} <= logged


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", names("quantizer"))
def test_every_quantiser_trains_and_its_model_compresses_a_file(tmp_path, folder_data, photos, quantizer):
    small = {"fsq": ["quantizer.levels=[3,3,3]"], "lfq": ["quantizer.stages=2", "quantizer.codebook_bits=3"]}
    sizes = small.get(quantizer, ["quantizer.codebook_bits=3"])
    train(tmp_path, *folder_data, "hydra.run.dir=out", f"quantizer={quantizer}", *sizes)
    codec = load_codec(tmp_path / "out" / "model.safetensors")
    image = read_image(photos / "0.png")
    assert np.array_equal(codec.decompress(codec.compress(image)), reconstruct(codec, image))


@pytest.mark.slow
def test_a_model_for_all_rates_has_files_with_more_stages_at_higher_qualities(tmp_path, photos, folder_data):
    for part in ("train", "validation"):
        shutil.copytree(photos, tmp_path / "data" / part)
    network = [f"network.{part}.{name}={value}" for part in ("encoder", "decoder") for name, value in SMALL_NETWORK]
    said = run(
        tmp_path,
        [
            *("experiment=photo-full-range", "data.root=data", "data.crop=16", "data.batch_size=4", *network),
            *("quantizer.dim=8", "quantizer.pieces=2", "quantizer.codebook_bits=2", "task.module.levels=4"),
            *("entropy.hidden=[[8,8],[8,8],[8,8]]", "entropy.dim=4", "entropy.earlier_dim=4", "entropy.steps=3"),
            *("callbacks.initialize.vectors=200", "callbacks.transforms.blocks=500", "trainer.accelerator=cpu"),
            *("trainer.max_steps=4", "trainer.val_check_interval=2", "hydra.run.dir=out"),
        ],
    )
    assert said.code == 0, said.stderr
    codec, image = load_codec(tmp_path / "out" / "photo.safetensors"), read_image(photos / "0.png")
    assert codec.chooser and codec.chooser.typical_bits is not None
    files = [codec.compress(image, quality=quality) for quality in (0.0, 60.0, 100.0)]
    assert [len(split(data).sections) for data in files] == [1, 2, 3]
    assert all(codec.decompress(data).shape == image.shape for data in files)


@pytest.mark.slow
def test_a_sweep_trains_each_combination_in_a_folder_of_its_own(tmp_path, folder_data):
    train(tmp_path, *folder_data, "estimator=ste,nsvq", "hydra.sweep.dir=sweep", options=["-m"])
    assert sorted(path.parent.name for path in (tmp_path / "sweep").glob("*/model.safetensors")) == ["0", "1"]
    for number, estimator in {"0": "StraightThrough", "1": "NSVQ"}.items():
        training = read_model(tmp_path / "sweep" / number / "model.safetensors").about["training"]
        assert training["estimator"]["_target_"].endswith(estimator)


def learning_rates(run: Path) -> dict[int, str]:
    with (run / "csv" / "metrics.csv").open() as file:
        return {int(row["step"]): row["lr-AdamW"] for row in csv.DictReader(file) if row["lr-AdamW"]}


@pytest.mark.slow
def test_a_killed_training_resumes_at_its_checkpoint_and_writes_the_same_model(tmp_path, folder_data):
    folder_data += ["callbacks.checkpoint.every_n_train_steps=5"]
    train(tmp_path, *folder_data, "hydra.run.dir=whole")
    kill = "+callbacks.kill={_target_: tests.training.kill.Kill, step: 7}"
    train_in_process_of_its_own(tmp_path, *folder_data, "hydra.run.dir=killed", kill, code=-signal.SIGKILL)
    done = train_in_process_of_its_own(
        tmp_path, *folder_data, "hydra.run.dir=resumed", "resume=killed/checkpoints/last.ckpt"
    )
    assert "not resumable" not in done.stderr
    whole, rest = learning_rates(tmp_path / "whole"), learning_rates(tmp_path / "resumed")
    assert sorted(whole) == list(range(8)) and sorted(rest) == [5, 6, 7]
    assert rest.items() <= whole.items()
    again = train(tmp_path, *folder_data, "hydra.run.dir=killed")  # goes on where it stopped, unasked
    assert "done already" not in again.stdout
    assert "done already" in train(tmp_path, *folder_data, "hydra.run.dir=killed").stdout
    first, *others = (tmp_path / run / "model.safetensors" for run in ("whole", "resumed", "killed"))
    assert all(first.read_bytes() == other.read_bytes() for other in others)


@pytest.mark.slow
def test_mixed_precision_trains(tmp_path, folder_data):
    train(tmp_path, *folder_data, "hydra.run.dir=out", "trainer.precision=bf16-mixed")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["steps"] == 8 and 5 < result["test"]["psnr_dataset"] < 30


@pytest.mark.slow
def test_the_real_cifar10_is_found_where_it_is_unpacked(tmp_path, data_root):
    limits = ["+trainer.limit_test_batches=3", "+trainer.limit_val_batches=2"]
    done = train(tmp_path, f"data.root={data_root.resolve()}", "hydra.run.dir=out", "entropy=uniform", *limits)
    assert "PSNR" in done.stdout


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["data=folder", "data.root=nowhere"], "nowhere holds 0 images"),
        (["data=folder"], "data.root=FOLDER"),
        (["task=vectors", "data=descriptors"], "no set of vectors given"),
        (["task=vectors", "data=low_rank", "data.rank=9"], "must be from 1 to 8"),
        (["data=sample", "data.crop=30"], "the crop must be a multiple of the network's stride, 4: set 28"),
        (["data=folder", "data.root=nowhere", "quantizer.codebook_bits=99"], "codebook_bits is 99"),
        (["data=folder", "data.root=nowhere", "resume=lost.ckpt"], "lost.ckpt"),
        (
            ["data=sample", "data.crop=33"],
            "data.crop=33: the crop must be a multiple of the network's stride, 4: set 32",
        ),
        (["data=folder", "data.root=nowhere", "seed=-1"], "seed=-1: must be a whole number from 0"),
        (["data=folder", "data.root=nowhere", "showcase=[nothing]"], "nothing: neither a file nor a photograph"),
        (["data=sample", "task=photos"], "ResidualVQ cannot be trained as a variable-rate model: set quantizer=pvq"),
        (["data=sample", "task=photos", "quantizer=pvq", "callbacks=photos"], "no lapped transforms"),
    ],
)
def test_what_cannot_work_is_one_line_without_a_traceback(tmp_path, overrides, reason):
    crop = [] if "task=vectors" in overrides else ["data.crop=16"]
    done = train(tmp_path, *crop, *overrides, code=1)
    assert done.stderr.strip().splitlines()[-1].startswith("error: ") and reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_error_from_the_shell_is_one_line_too(tmp_path):
    done = train_in_process_of_its_own(tmp_path, "data=folder", "data.root=nowhere", "data.crop=16", code=1)
    assert done.stderr.splitlines()[-1].startswith("error: nowhere holds 0 images") and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_training_begins_with_the_weights_and_tables_of_a_model_file(tmp_path, folder_data):
    train(tmp_path, *folder_data, "hydra.run.dir=first")
    first = "weights=first/model.safetensors"
    done = train(tmp_path, *folder_data, "hydra.run.dir=tables", first, "trainer.max_steps=0")
    model, before = (read_model(tmp_path / folder / "model.safetensors") for folder in ("tables", "first"))
    assert model.model_id.weights == before.model_id.weights  # so files of fixed width stay readable
    assert model.model_id.whole != before.model_id.whole
    assert model.about["weights"] == {"name": "model", "about": before.about} and "PSNR" in done.stdout
    done = train(tmp_path, *folder_data, "hydra.run.dir=wrong", first, "network.decoder.hidden=[8,4]", code=1)
    assert "error: weights=first/model.safetensors: these are not weights of the decoder" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("entropy", ["uniform", "histogram"])
def test_every_other_entropy_model_is_fitted_and_written_too(tmp_path, folder_data, photos, entropy):
    train(tmp_path, *folder_data, "hydra.run.dir=out", f"entropy={entropy}")
    codec = load_codec(tmp_path / "out" / "model.safetensors")
    image = read_image(photos / "0.png")
    assert type(codec.entropy_model).__name__.lower() == entropy
    assert np.array_equal(codec.decompress(codec.compress(image)), reconstruct(codec, image))


@pytest.mark.slow
def test_a_sweep_over_vectors_is_told_in_a_file_each_and_not_done_again(tmp_path):
    sweep = ["quantizer=rvq,pvq", "quantizer.codebook_bits=2", "data=white"]
    assert train_vectors(tmp_path, *sweep, options=["-m"]).count("test: error") == 2
    results = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("outputs/toy/*/result.json")}
    assert sorted(results) == ["pvq-4x2-white-seed0", "rvq-4x2-white-seed0"]
    for result in results.values():
        assert result["steps"] == 4 and result["test"]["bits"] == 4
        assert 8 > result["test"]["error"] > result["test"]["bound"] == pytest.approx(8 * 2 ** (-2 * 4 / 8))
    again = train_vectors(tmp_path, *sweep, options=["-m"])
    assert again.count("done already") == 2 and "test: error" not in again


@pytest.mark.slow
def test_without_steps_the_classic_training_is_all_there_is(tmp_path):
    train_vectors(tmp_path, "quantizer=rvq", "data=low_rank", "data.rank=2", "hydra.run.dir=out", "trainer.max_steps=0")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["test"]["error"] == result["test"]["fitted"]


@pytest.mark.slow
def test_a_quantiser_that_was_trained_on_vectors_is_there_in_a_file(tmp_path):
    settings = ["quantizer=avq", "data=white", "hydra.run.dir=out", "name=mine"]
    assert "quantiser: " in train_vectors(tmp_path, *settings)
    data = Autoregressive(dim=8, correlation=0.0, train=200, test=100, batch_size=50)
    data.setup()
    vectors = data.test_set.vectors
    quantizer = load_quantizer(tmp_path / "out" / "mine.safetensors")
    error = (quantizer.decode(quantizer.encode(vectors)) - vectors).square().sum(1).mean()
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert error.item() == pytest.approx(result["test"]["error"], rel=1e-4)


@pytest.mark.slow
def test_a_training_begins_with_the_networks_of_a_model_of_another_quantiser(tmp_path, folder_data):
    train(tmp_path, *folder_data, "hydra.run.dir=first")
    other = ["weights=first/model.safetensors", "quantizer=pvq", "quantizer.codebook_bits=3", "trainer.max_steps=0"]
    done = train(tmp_path, *folder_data, *other, "hydra.run.dir=second")
    first, second = (read_model(tmp_path / run / "model.safetensors").tensors for run in ("first", "second"))
    networks = [name for name in first if name.startswith(("autoencoder.encoder.", "autoencoder.decoder."))]
    assert networks and all(torch.equal(first[name], second[name]) for name in networks)
    assert f"{other[0]}: its codebooks and entropy model are not used, as they have other shapes here" in done.stdout


@pytest.mark.slow
def test_a_training_that_diverges_ends_in_one_line_and_leaves_no_result(tmp_path, folder_data):
    diverging = ["optimizer.optimizer.lr=1e6", "trainer.max_steps=40", "entropy=uniform", "hydra.run.dir=out"]
    for _ in range(2):  # it is not taken for done, either
        done = train(tmp_path, *folder_data, *diverging, code=1)
        assert done.stderr.strip().splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr
        assert "learning rate" in done.stderr
        assert not {"result.json", "model.safetensors"} & {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_resumed_from_says_why(tmp_path, folder_data):
    train(tmp_path, *folder_data, "hydra.run.dir=first", "entropy=uniform")
    (tmp_path / "bad.ckpt").write_text("nonsense")
    for overrides, reason in {
        ("resume=bad.ckpt",): "bad.ckpt: not a checkpoint, or damaged",
        ("trainer.max_steps=16",): "its learning-rate schedule ends at step 8, but trainer.max_steps=16",
        (
            "quantizer=pvq",
            "quantizer.codebook_bits=3",
        ): "a checkpoint of another model: autoencoder.quantizer.codebooks",
    }.items():
        resume = "resume=first/checkpoints/last.ckpt"
        done = train(tmp_path, *folder_data, "entropy=uniform", resume, *overrides, code=1)
        (said,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
        assert reason in said and "Traceback" not in done.stderr
