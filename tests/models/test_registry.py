"""Registered components: names that mean the same for ever, and nothing built but what they name."""

import sys
from inspect import getmembers, isabstract, isclass

import pytest
from torch import nn

from tests.contracts.configs import load
from vqvae import entropy, networks, quantizers
from vqvae.entropy import EntropyModel, Histogram
from vqvae.errors import ConfigError
from vqvae.models.registry import ALIASES, COMPONENTS, build, registered_name
from vqvae.networks import ConvEncoder
from vqvae.quantizers import VQ, Estimator, Quantizer

UNREGISTERED = [
    "os.system",
    "torch.nn.Linear",
    "vqvae.networks.encoder.nn",
    "vqvae.files.atomic_path",
    "",
    "VQ",
    None,
    7,
]


@pytest.mark.parametrize("package", [entropy, networks, quantizers])
def test_every_concrete_component_of_the_package_is_registered(package):
    classes = {
        f"{one.__module__}.{one.__name__}"
        for _, one in getmembers(package, isclass)
        if issubclass(one, nn.Module) and not isabstract(one) and not issubclass(one, Estimator)
    }
    assert classes and classes <= set(COMPONENTS.values())


def test_old_paths_and_names_build_the_same_class():
    by_name = build({"_target_": "vq", "dim": 4, "codebook_bits": 3}, Quantizer)
    by_path = build({"_target_": "vqvae.quantizers.vq.VQ", "dim": 4, "codebook_bits": 3}, Quantizer)
    assert type(by_name) is type(by_path) is VQ


@pytest.mark.parametrize(("path", "name"), ALIASES.items())
def test_an_alias_keeps_its_meaning(path, name):
    assert registered_name(path) == registered_name(name) == name
    assert COMPONENTS[name].rpartition(".")[2] == path.rpartition(".")[2]


def test_configs_name_components_by_registered_name():
    assert {load("quantizer", name)["_target_"] for name in ("vq", "pvq", "rvq", "avq")} <= set(COMPONENTS)


@pytest.mark.parametrize("target", UNREGISTERED)
def test_what_is_not_registered_is_refused_with_the_names_that_are(target):
    with pytest.raises(ConfigError, match="must be a registered component: vq, product_vq"):
        build({"_target_": target}, nn.Module)


def test_a_module_that_is_not_registered_is_not_imported():
    sys.modules.pop("this", None)
    with pytest.raises(ConfigError):
        build({"_target_": "this.s"}, nn.Module)
    assert "this" not in sys.modules


def test_a_component_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="_target_ is 'vq', but must name a subclass of EntropyModel"):
        build({"_target_": "vq", "dim": 4, "codebook_bits": 3}, EntropyModel)


def test_arguments_that_a_component_refuses_are_named_with_it():
    with pytest.raises(ConfigError, match=r"residual_vq: .*unknown"):
        build({"_target_": "residual_vq", "dim": 4, "stages": 2, "codebook_bits": 3, "unknown": 1}, Quantizer)


def test_components_are_built_with_their_arguments():
    encoder = build(
        {"_target_": "conv_encoder", "dim": 5, "channels": [4, 4], "hidden": [4, 4], "blocks": [0, 0]}, nn.Module
    )
    assert isinstance(encoder, ConvEncoder)
    assert isinstance(build({"_target_": "histogram", "stages": 2, "index_bits": 3}, EntropyModel), Histogram)
