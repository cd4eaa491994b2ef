"""Model files: whole, plain, and the same again when read."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.conftest import TINY_MODEL
from vqvae.codec import Codec
from vqvae.errors import ModelFileError
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import (
    FORMAT,
    KEY,
    load_codec,
    load_quantizer,
    read_model,
    save_model,
    save_quantizer,
)
from vqvae.quantizers import MovingAverage, ProductVQ


def rewrite(source: Path, target: Path, change) -> Path:
    """Copies a model file with its header changed."""
    with safe_open(source, "pt") as file:
        header = json.loads(file.metadata()[KEY])
    change(header)
    save_file(load_file(source), target, {KEY: json.dumps(header)})
    return target


def test_a_file_holds_half_precision_weights_and_a_plain_config(tiny_model):
    with safe_open(tiny_model, "pt") as file:
        header = json.loads(file.metadata()[KEY])
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert header["config"] == TINY_MODEL and header["format"] == FORMAT
    assert kinds == {torch.float16}


def test_a_codec_loaded_twice_writes_the_same_bytes(tiny_model, photo):
    assert load_codec(tiny_model).compress(photo) == load_codec(tiny_model).compress(photo)


def test_the_fingerprint_changes_with_a_weight_and_with_the_config_but_not_with_the_notes(tiny_model):
    model = read_model(tiny_model)
    name, tensor = next(iter(model.tensors.items()))
    assert model._replace(about={"anything": 1}).fingerprints == model.fingerprints
    assert model._replace(tensors={**model.tensors, name: tensor + 1}).fingerprints.whole != model.fingerprints.whole
    assert model._replace(config={**model.config, "more": 1}).fingerprints.whole != model.fingerprints.whole


def test_the_fingerprint_is_the_same_for_a_registered_name_and_its_alias(tiny_model):
    model = read_model(tiny_model)
    old = {**model.config["encoder"], "_target_": "vqvae.networks.encoder.ConvEncoder"}
    assert model.config["encoder"]["_target_"] == "conv_encoder"
    assert model._replace(config={**model.config, "encoder": old}).fingerprints == model.fingerprints


@pytest.mark.parametrize(
    "target",
    ["os.system", "torch.nn.Linear", "vqvae.networks.encoder.nn", "vqvae.files.atomic_path", "", "x", None],
)
def test_loading_builds_nothing_but_our_own_classes(tiny_model, tmp_path, target):
    bad = tmp_path / "bad.safetensors"
    rewrite(tiny_model, bad, lambda header: header["config"]["encoder"].update(_target_=target))
    with pytest.raises(ModelFileError, match="_target_"):
        load_codec(bad)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h.update(format=99), "format 99"),
        (lambda h: h.pop("config"), "not a model of this program"),
        (lambda h: h["config"].pop("encoder"), "no 'encoder'"),
        (lambda h: h["config"].update(encoder=h["config"]["decoder"]), "ConvDecoder is no encoder"),
        (lambda h: h["config"]["encoder"].update(dim=10**30), "do not make a model"),
        (lambda h: h["config"]["encoder"].update(unknown=1), "unknown"),
        (lambda h: h["config"]["encoder"].update(dim=10**12), "do not make a model"),
        (lambda h: h["config"]["quantizer"].update(dim=9), "do not make a model"),
        (lambda h: h["config"]["quantizer"].update(dim="many"), "do not make a model"),
        (lambda h: h["config"]["encoder"].update(channels=7), "do not make a model"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line_that_names_the_file(tiny_model, tmp_path, change, reason):
    bad = rewrite(tiny_model, tmp_path / "bad.safetensors", change)
    with pytest.raises(ModelFileError, match=reason) as caught:
        load_codec(bad)
    assert str(caught.value).startswith(str(bad)) and "\n" not in str(caught.value)


def test_other_files_are_refused_by_what_they_are(tiny_model, tmp_path):
    with pytest.raises(ModelFileError, match="no such model file"):
        load_codec(tmp_path / "missing.safetensors")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelFileError, match="not a model file"):
        load_codec(tmp_path / "text")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(ModelFileError, match="not a model of this program"):
        load_codec(tmp_path / "other")
    (tmp_path / "cut").write_bytes(tiny_model.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="damaged"):
        load_codec(tmp_path / "cut")
    with pytest.raises(ModelFileError, match="damaged"):
        load_codec(tmp_path)


def test_rounding_the_weights_loses_nothing_more_in_the_file(tiny_model, photo):
    """What training measures after `round_to_half` is what the file gives."""
    codec = load_codec(tiny_model)
    torch.manual_seed(0)
    from vqvae.models.file import round_to_half

    trained = build_autoencoder(TINY_MODEL)
    round_to_half(trained)
    same = Codec(trained, codec.entropy_model, codec.fingerprints)
    assert np.array_equal(same.reconstruct(photo), codec.reconstruct(photo))


def test_what_an_estimator_remembers_is_left_out_of_the_file(tiny_model, tmp_path):
    autoencoder = build_autoencoder(TINY_MODEL)
    autoencoder.quantizer.set_estimator(MovingAverage())
    path = tmp_path / "averaged.safetensors"
    save_model(path, TINY_MODEL, autoencoder, build_entropy_model(TINY_MODEL["entropy"], autoencoder), {})
    assert read_model(path).tensors.keys() == read_model(tiny_model).tensors.keys()
    load_codec(path)


def test_a_header_nested_beyond_measure_is_refused(tiny_model, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "deep", {"vqvae": "[" * 100_000})
    with pytest.raises(ModelFileError, match="not a model file"):
        load_codec(tmp_path / "deep")


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_makes_another_model_or_a_model_file_error(tiny_model, place, bit):
    data = bytearray(tiny_model.read_bytes())
    data[int(place**2 * len(data))] ^= 1 << bit  # in the header, mostly
    bad = tiny_model.with_suffix(".flipped")
    bad.write_bytes(data)
    with suppress(ModelFileError):
        load_codec(bad)


def test_an_entropy_models_tables_that_none_can_have_are_refused(tiny_model, tmp_path):
    entropy = {"_target_": "histogram"}
    autoencoder = build_autoencoder(TINY_MODEL)
    histogram = build_entropy_model(entropy, autoencoder)
    histogram.frequencies[0, 0] = -5
    save_model(tmp_path / "bad", {**TINY_MODEL, "entropy": entropy}, autoencoder, histogram, {})
    with pytest.raises(ModelFileError, match="the histogram's frequencies"):
        load_codec(tmp_path / "bad")


def test_the_fingerprint_of_the_weights_does_not_change_with_the_entropy_model(tiny_model, tmp_path):
    entropy = {"_target_": "histogram"}
    plain = read_model(tiny_model)
    histogram = build_entropy_model(entropy, build_autoencoder(TINY_MODEL))
    tables = {"entropy.frequencies": histogram.frequencies}
    fitted = plain._replace(config={**plain.config, "entropy": entropy}, tensors={**plain.tensors, **tables})
    assert plain.fingerprints.whole == plain.fingerprints.weights == fitted.fingerprints.weights
    assert fitted.fingerprints.whole != plain.fingerprints.whole


def test_a_quantiser_alone_comes_back_from_its_file_exactly(tmp_path):
    config = {"_target_": "product_vq", "dim": 6, "stages": 2, "codebook_bits": 3}
    quantizer = ProductVQ(6, 2, 3)
    quantizer.set_estimator(MovingAverage())
    quantizer.fit(torch.randn(100, 6))
    save_quantizer(tmp_path / "alone", config, quantizer, {"error": 1.5})
    again = load_quantizer(tmp_path / "alone")
    assert isinstance(again, ProductVQ) and not again.training
    assert torch.equal(again.codebooks, quantizer.codebooks)
    assert read_model(tmp_path / "alone").about == {"error": 1.5}
    with pytest.raises(ModelFileError, match="no 'encoder'"):
        load_codec(tmp_path / "alone")


def test_the_quantiser_of_an_image_model_is_loaded_alone(tiny_model):
    assert torch.equal(load_quantizer(tiny_model).codebooks, load_codec(tiny_model).autoencoder.quantizer.codebooks)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h["config"].pop("quantizer"), "_target_ is None"),
        (lambda h: h["config"].update(quantizer=7), "_target_ is None"),
        (lambda h: h["config"].update(quantizer=h["config"]["encoder"]), "must name a subclass of Quantizer"),
        (lambda h: h["config"]["quantizer"].update(dim=10**12), "do not make a model"),
    ],
)
def test_a_quantiser_that_does_not_fit_is_one_line_that_names_the_file(tiny_model, tmp_path, change, reason):
    bad = rewrite(tiny_model, tmp_path / "bad.safetensors", change)
    with pytest.raises(ModelFileError, match=reason) as caught:
        load_quantizer(bad)
    assert str(caught.value).startswith(str(bad)) and "\n" not in str(caught.value)
