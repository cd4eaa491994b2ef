"""Model files: whole, plain, and the same again when read."""

import json
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.conftest import TINY_MODEL, reconstruct
from vqvae.codec import ImageCodec
from vqvae.errors import ModelFileError
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import (
    FORMAT,
    KEY,
    load_codec,
    load_quantizer,
    read_id,
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


def test_a_file_whose_stored_id_is_not_that_of_its_weights_is_refused(tiny_model, tmp_path):
    bad = rewrite(tiny_model, tmp_path / "bad.safetensors", lambda header: header["id"].update(whole="00" * 32))
    with pytest.raises(ModelFileError, match="its stored id is not that of its weights"):
        load_codec(bad)


@pytest.mark.parametrize("stored", [7, {}, {"whole": "zz", "weights": "", "aliases": []}, [], {"whole": "00"}])
def test_a_stored_id_that_is_not_one_is_refused(tiny_model, tmp_path, stored):
    bad = rewrite(tiny_model, tmp_path / "bad.safetensors", lambda header: header.update(id=stored))
    for read in (load_codec, read_id):
        with pytest.raises(ModelFileError, match=r"damaged: .*the model's id"):
            read(bad)


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
        (lambda h: h["config"].pop("encoder"), "not for images"),
        (lambda h: h["config"].pop("decoder"), "no 'decoder'"),
        (lambda h: h["config"].update(encoder=h["config"]["decoder"]), "must name a subclass of Encoder"),
        (lambda h: h["config"]["encoder"].update(dim=10**30), "do not make a model"),
        (lambda h: h["config"]["encoder"].update(unknown=1), "unknown"),
        (lambda h: h["config"]["encoder"].update(dim=10**12), "do not make a model"),
        (lambda h: h["config"]["quantizer"].update(dim=9), "do not make a model"),
        (lambda h: h["config"]["quantizer"].update(dim="many"), "do not make a model"),
        (lambda h: h["config"]["encoder"].update(channels=7), "do not make a model"),
        (lambda h: h["config"]["encoder"].update(blocks=[8000, 1]), r"blocks=\[8000, 1\] must be from 0 to 64"),
        (
            lambda h: h["config"].update(
                encoder={
                    "_target_": "variable_rate_encoder",
                    "dim": 8,
                    "channels": [8] * 3,
                    "blocks": [2**31 - 1, 1, 1],
                }
            ),
            r"blocks=\[2147483647, 1, 1\] must be from 0 to 64",
        ),
        (lambda h: h["config"]["quantizer"].update(stages=2**31 - 1), "stages is 2147483647, but must be from 1 to"),
        (lambda h: h["config"]["encoder"].update(channels=[1] * 300), "has 300 entries, but may have 256"),
        (lambda h: h["config"]["encoder"].update(dim="x" * 10_000), "but must be an integer"),
        (
            lambda h: h["config"]["encoder"].update(channels=[8, 12, 12], hidden=[8] * 3, blocks=[1] * 3),
            "encoder takes 8×8",
        ),
        (lambda h: h["config"]["encoder"].update(dim=4), "dim is 4 in the encoder, 8 in the quantiser and 8 in the"),
        (lambda h: h["config"]["quantizer"].update(beam=float("nan")), "beam is nan, but must be an integer"),
        (lambda h: h["config"]["quantizer"].update(beam=1.5), "beam is 1.5, but must be an integer"),
        (lambda h: h["config"]["quantizer"].update(beam=True), "beam is True, but must be an integer"),
        (lambda h: h["config"]["quantizer"].update(beam=2**63), "beam is 9223372036854775808, but must be from"),
        (lambda h: h["config"]["quantizer"].update(beam=10**400), "beam is an integer of very many digits"),
        (lambda h: h["config"]["quantizer"].update(beam=10**6), "beam is 1000000, but must be from 1 to 4096"),
        (lambda h: h["config"]["quantizer"].update(stages=4), r"codebooks has shape \[3, 8, 8\], but its config says"),
        (lambda h: h["config"].pop("entropy"), "no 'entropy'"),
        (lambda h: h["config"].update(qualities=7), "invalid qualities"),
        (lambda h: h["config"].update(qualities=[1, 2]), "invalid qualities"),
        (lambda h: h["config"].update(qualities={"finest": 1}), "invalid qualities"),
        (lambda h: h["config"].update(qualities={"finest": 1, "coarsest": 10**400}), "invalid qualities"),
        (lambda h: h["config"].update(qualities={"finest": float("nan"), "coarsest": 1}), "finest is nan"),
        (lambda h: h["config"].update(qualities={"finest": 1, "coarsest": 1e39}), r"finest < coarsest < 1e\+30"),
        (lambda h: h["config"].update(qualities={"finest": 1, "coarsest": 2}), "ResidualVQ cannot weigh bits"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line_that_names_the_file(tiny_model, tmp_path, change, reason):
    bad = rewrite(tiny_model, tmp_path / "bad.safetensors", change)
    began = time.perf_counter()
    with pytest.raises(ModelFileError, match=reason) as caught:
        load_codec(bad)
    assert time.perf_counter() - began < 1
    assert str(caught.value).startswith(str(bad)) and "\n" not in str(caught.value)


def with_tensor(source: Path, target: Path, name: str, change) -> Path:
    """Copies a model file with a tensor changed; None takes it away."""
    with safe_open(source, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(source)
    changed = change(tensors.pop(name, torch.zeros(1)))
    save_file({**tensors, **({} if changed is None else {name: changed})}, target, metadata)
    return target


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("autoencoder.decoder.layers.0.bias", lambda t: t.to(torch.complex64), "is of type complex64"),
        ("autoencoder.decoder.layers.0.bias", lambda t: t * float("nan"), "not finite: the training has diverged"),
        ("autoencoder.decoder.layers.0.bias", lambda t: t * float("inf"), "not finite"),
        ("autoencoder.encoder.layers.1.bias", lambda t: t.double() + 1e300, "not finite"),
        ("autoencoder.quantizer.codebooks", lambda t: t * float("nan"), "not finite"),
        ("autoencoder.quantizer.codebooks", lambda t: t[1:], "codebooks has shape"),
        ("autoencoder.quantizer.codebooks", lambda t: None, "codebooks is missing"),
        ("autoencoder.encoder.layers.1.bias", lambda t: t[:, None], "bias has shape"),
        ("autoencoder.encoder.more", lambda t: t, "more' belongs to no part of the model"),
        ("autoencoder.decoder.layers.0.bias", lambda t: t + 1, "its stored id is not that of its weights"),
    ],
)
def test_tensors_that_no_model_has_are_one_line_that_names_them(tiny_model, tmp_path, name, change, reason):
    bad = with_tensor(tiny_model, tmp_path / "bad.safetensors", name, change)
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
    same = ImageCodec(trained, codec.entropy_model, codec.model_id)
    assert np.array_equal(reconstruct(same, photo), reconstruct(codec, photo))


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
    with pytest.raises(ModelFileError, match="not for images"):
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
