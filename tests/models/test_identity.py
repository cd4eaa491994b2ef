"""What the id of a model depends on."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import MANY_RATES, TINY_MODEL
from vqvae.codec import ImageCodec
from vqvae.errors import ConfigError, UnknownModelError
from vqvae.formats import ModelId
from vqvae.formats.vqz import split
from vqvae.models import registry
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, read_id, read_model, save_model
from vqvae.models.identity import identify
from vqvae.networks import ConvDecoder
from vqvae.quantizers import Quantizer

DECODER, CODEBOOKS, TABLE = (
    "autoencoder.decoder.layers.0.weight",
    "autoencoder.quantizer.codebooks",
    "entropy.third_bias",
)
GOLDEN = Path(__file__).parents[1] / "golden" / "v2-many-rates.safetensors"


class SmallerDecoder(ConvDecoder):
    """What another package might bring."""


def config_with(part: str, **arguments: object) -> dict:
    """The golden model's config, with some arguments of a part set; None takes one away."""
    config = copy.deepcopy(read_model(GOLDEN).config)
    config.setdefault(part, {}).update(arguments)
    return config


@pytest.mark.parametrize(
    "config",
    [
        config_with("encoder", blocks=[7, 7]),
        config_with("encoder", _target_="conv_encoder"),
        config_with("entropy", steps=1, batch=2, learning_rate=3.0),
        config_with("qualities", finest=1e-9),
        config_with("decoder", _target_="lapped_decoder"),
        config_with("new_section", anything=1),
    ],
)
def test_what_decoding_does_not_depend_on_leaves_the_id_alone(config):
    model = read_model(GOLDEN)
    encoder = {n: t + 1 if n.startswith("autoencoder.encoder.") else t for n, t in model.tensors.items()}
    assert identify(config, encoder) == identify(model.config, model.tensors)


@pytest.mark.parametrize("quantizer", ["residual_vq", "additive_vq"])
def test_settings_of_the_search_leave_the_id_alone(quantizer):
    arguments = {"_target_": quantizer, "dim": 8, "stages": 2, "codebook_bits": 3}
    searched = {**arguments, "beam": 7, **({"refinements": 3} if quantizer == "additive_vq" else {})}
    assert identify({"quantizer": arguments}, {}) == identify({"quantizer": searched}, {})


def test_an_argument_at_its_default_is_as_good_as_one_left_out():
    decoder = TINY_MODEL["decoder"]
    assert identify({"decoder": decoder}, {}) == identify({"decoder": {**decoder, "patch": 2}}, {})
    assert identify({"decoder": decoder}, {}) != identify({"decoder": {**decoder, "patch": 4}}, {})


def test_moving_a_class_leaves_the_id_alone(monkeypatch):
    before = read_model(GOLDEN).model_id
    monkeypatch.setitem(registry.COMPONENTS, "lapped_decoder", "vqvae.networks.LappedDecoder")
    assert read_model(GOLDEN).model_id == before


@pytest.mark.parametrize("name", [DECODER, CODEBOOKS, TABLE])
def test_another_decoder_weight_codebook_or_table_is_another_model(name):
    model = read_model(GOLDEN)
    name = name.replace("decoder.layers", "decoder.network.layers")
    for change in (lambda tensor: tensor + 1, lambda tensor: tensor.double(), lambda tensor: tensor.flatten()):
        other = identify(model.config, {**model.tensors, name: change(model.tensors[name])})
        assert other.whole != model.model_id.whole
        assert (other.weights == model.model_id.weights) is (name == TABLE)


@pytest.mark.parametrize(
    "config",
    [
        config_with("decoder", patch=8),
        config_with("decoder", _target_="conv_decoder"),
        config_with("quantizer", stages=3),
        config_with("entropy", hidden=[8, 16]),
    ],
)
def test_another_structural_argument_is_another_model(config):
    model = read_model(GOLDEN)
    assert identify(config, model.tensors).whole != model.model_id.whole


def test_the_id_is_stored_and_is_what_the_file_gives(tiny_model):
    model = read_model(tiny_model)
    assert model.stored_id == model.model_id == read_id(tiny_model) == load_codec(tiny_model).model_id
    assert model.model_id.aliases == ()


def test_a_model_file_without_an_id_has_the_one_of_its_time_as_alias():
    assert read_model(GOLDEN).stored_id is None
    codec = load_codec(GOLDEN)
    data = GOLDEN.with_suffix(".vqz").read_bytes()
    ((whole, _),) = codec.model_id.aliases
    assert split(data).hint == whole[:3] and codec.decompress(data).shape == (21, 38, 3)


def test_a_model_with_a_better_encoder_reads_the_files_of_the_first(tmp_path, photo):
    first = load_codec(GOLDEN)
    config = config_with("encoder", blocks=[1, 1])
    torch.manual_seed(1)
    better = build_autoencoder(config)
    better.quantizer.load_state_dict(first.autoencoder.quantizer.state_dict())
    better.decoder.load_state_dict(first.autoencoder.decoder.state_dict())
    save_model(tmp_path / "better", config, better, first.entropy_model, {}, first.model_id)
    codec = load_codec(tmp_path / "better")
    for data in (first.compress(photo), GOLDEN.with_suffix(".vqz").read_bytes()):
        assert np.array_equal(codec.decompress(data), first.decompress(data))


def test_a_component_of_another_package_has_a_registered_name(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(registry, "COMPONENTS", dict(registry.COMPONENTS))
    registry.register("smaller_decoder", f"{__name__}.SmallerDecoder")
    config = {**TINY_MODEL, "decoder": {**TINY_MODEL["decoder"], "_target_": "smaller_decoder"}}
    autoencoder = build_autoencoder(config)
    assert isinstance(autoencoder.decoder, SmallerDecoder)
    entropy_model = build_entropy_model(config["entropy"], autoencoder)
    save_model(tmp_path / "theirs", config, autoencoder, entropy_model, {})
    codec = load_codec(tmp_path / "theirs")
    data = codec.compress(photo)
    assert codec.decompress(data).shape == photo.shape
    same_weights = read_model(tmp_path / "theirs")._replace(config=TINY_MODEL)
    assert same_weights.model_id.weights != codec.model_id.weights, "the name of the decoder counts"


def test_a_registered_name_is_taken_once(monkeypatch):
    monkeypatch.setattr(registry, "COMPONENTS", dict(registry.COMPONENTS))
    registry.register("mine", "here.Mine")
    registry.register("mine", "here.Mine")
    for name in ("mine", "vq", "vqvae.quantizers.vq.VQ"):
        with pytest.raises(ConfigError, match="is the registered name of another component"):
            registry.register(name, "there.Mine")
    with pytest.raises(ConfigError, match=r"mine: cannot be imported .*: install the package"):
        registry.build({"_target_": "mine"}, nn.Module)


def test_components_of_installed_packages_are_found_by_entry_points(monkeypatch):
    class Found:
        value = f"{__name__}:SmallerDecoder"

    monkeypatch.setattr(registry, "COMPONENTS", dict(registry.COMPONENTS))
    monkeypatch.setattr(registry, "entry_points", lambda group, name: [Found()] * (name == "theirs"))
    assert registry.component("theirs") is SmallerDecoder
    with pytest.raises(ConfigError, match="'others', but must be a registered component"):
        registry.build({"_target_": "others"}, Quantizer)


def test_two_models_whose_ids_begin_alike_do_not_decode_each_others_files(photo):
    """As if chance had made the three bytes in the file the same."""
    own, other = load_codec(GOLDEN), load_codec(GOLDEN)
    alike = ModelId(own.model_id.whole[:3] + bytes(29), own.model_id.weights[:3] + bytes(29))
    other = ImageCodec(other.autoencoder, other.entropy_model, alike, lambda_range=other.chooser.lambda_range)
    data = own.compress(photo)
    with pytest.raises(Exception, match="or made with another model whose id begins like"):
        other.decompress(data)
    with pytest.raises(UnknownModelError):
        ImageCodec(other.autoencoder, other.entropy_model, ModelId(bytes(32), bytes(32))).decompress(data)


def test_all_bundled_and_golden_models_have_ids_of_their_own():
    paths = [*GOLDEN.parent.glob("*.safetensors"), *Path(registry.__file__).parent.glob("weights/*.safetensors")]
    ids = [read_id(path) for path in paths]
    assert len(ids) > 15 and len({model_id.whole for model_id in ids}) == len(ids)
    assert MANY_RATES["quantizer"]["_target_"] == "product_vq"
