"""What holds for every quantiser of conf/quantizer, with every estimator of conf/estimator that suits it."""

import inspect
import math
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from tests.conftest import TINY_MODEL, reconstruct
from tests.contracts.configs import load, names
from vqvae.errors import NotFiniteError, UsageError
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, save_model
from vqvae.models.registry import build, component
from vqvae.quantizers import PrefixDecodable, Quantizer


@pytest.fixture(params=names("quantizer"))
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    config = {**load("quantizer", request.param), "dim": 16}
    has_codebooks = "codebook_bits" in inspect.signature(component(config["_target_"])).parameters
    return {**config, "codebook_bits": 4} if has_codebooks else config


@pytest.fixture
def quantizer(config: dict[str, Any]) -> Quantizer:
    return build(config, Quantizer)


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(400, 16) @ torch.randn(16, 16)


def error(quantizer: Quantizer, vectors: torch.Tensor) -> float:
    return (vectors - quantizer.decode(quantizer.encode(vectors))).square().sum(1).mean().item()


def test_indices_are_one_int64_each_below_their_sizes(quantizer, vectors):
    indices = quantizer.encode(vectors)
    assert indices.shape == (400, quantizer.num_indices)
    assert indices.dtype == torch.int64
    assert indices.min() >= 0 and (indices < torch.tensor(quantizer.index_sizes)).all()


def test_bits_per_vector_are_the_rounded_logarithms_of_the_index_sizes(quantizer):
    bits = [math.ceil(math.log2(size)) for size in quantizer.index_sizes]
    assert quantizer.bits_per_vector == sum(bits)
    assert quantizer.index_bits == max(bits)


def test_values_of_all_indices_are_distinct_so_that_no_bit_is_wasted(quantizer):
    indices = torch.stack([torch.randint(size, (50,)) for size in quantizer.index_sizes], 1).unique(dim=0)
    assert len(quantizer.decode(indices).unique(dim=0)) == len(indices)


def test_evaluation_returns_exactly_the_decoded_indices_and_no_loss(quantizer, vectors):
    quantized = quantizer.eval()(vectors)
    assert torch.equal(quantized.values, quantizer.decode(quantized.indices))
    assert torch.equal(quantized.indices, quantizer.encode(vectors))
    assert quantized.loss == 0


def test_prefixes_are_encoded_and_decoded_by_stages(quantizer, vectors):
    if not isinstance(quantizer, PrefixDecodable):
        with pytest.raises(ValueError, match="cannot be decoded from its first stages"):
            quantizer.encode(vectors, stages=1)
        return
    assert quantizer.prefixes[-1] == quantizer.num_indices
    quantizer.fit(vectors)
    indices = quantizer.encode(vectors)
    errors = []
    for stage, number in enumerate(quantizer.prefixes, start=1):
        alone = quantizer.encode(vectors, stages=stage)
        assert alone.shape == (400, number)
        errors.append((vectors - quantizer.decode(alone)).square().sum(1).mean())
        assert errors[-1] <= 1.0001 * (vectors - quantizer.decode(indices[:, :number])).square().sum(1).mean()
    assert errors == sorted(errors, reverse=True)
    with pytest.raises(ValueError, match="stages is 0"):
        quantizer.encode(vectors, stages=0)


def test_fitting_lowers_the_error_below_that_of_the_mean(quantizer, vectors):
    before, variance = error(quantizer, vectors), vectors.var(0).sum().item()
    quantizer.fit(vectors + 100)
    assert error(quantizer, vectors + 100) < 0.8 * min(before, variance)


@pytest.mark.parametrize("estimator", names("estimator"))
def test_estimators_send_finite_gradients_to_the_encoder_and_to_what_is_trained(quantizer, vectors, estimator):
    quantizer.fit(vectors)
    try:
        quantizer.set_estimator(instantiate(load("estimator", estimator)))
    except UsageError as error:
        assert "set estimator=" in str(error)  # refused with a remedy
        return
    x = torch.cat([vectors, quantizer.decode(quantizer.encode(vectors[:9])).detach()]).requires_grad_()
    quantized = quantizer.train()(x)
    (quantized.values.square().mean() + quantized.loss).backward()
    assert torch.isfinite(x.grad).all() and (x.grad[:400] != 0).any(dim=1).float().mean() > 0.9
    for parameter in quantizer.parameters():
        if parameter.requires_grad:
            assert torch.isfinite(parameter.grad).all() and parameter.grad.any()


def test_vectors_that_are_not_finite_are_refused(quantizer, vectors):
    vectors[7, 3] = torch.nan
    for method in (quantizer.encode, quantizer, quantizer.fit):
        with pytest.raises(NotFiniteError):
            method(vectors)


def test_images_come_back_from_files_of_a_saved_model(config, photo, tmp_path):
    parts = {part: {**TINY_MODEL[part], "dim": 16} for part in ("encoder", "decoder")}
    model = {**parts, "quantizer": config, "entropy": {"_target_": "histogram"}}
    autoencoder = build_autoencoder(model).eval()
    path = tmp_path / "model.safetensors"
    save_model(path, model, autoencoder, build_entropy_model(model["entropy"], autoencoder), {"steps": 0})
    codec = load_codec(path)
    data = codec.compress(photo)
    assert np.array_equal(codec.decompress(data), reconstruct(codec, photo))


def test_no_vectors_give_no_indices(quantizer):
    assert quantizer.encode(torch.empty(0, 16)).shape == (0, quantizer.num_indices)


def test_the_search_is_in_float32_under_mixed_precision(quantizer, vectors):
    plain = quantizer.eval()(vectors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = quantizer(vectors)
    assert mixed.values.dtype == torch.float32
    assert torch.equal(mixed.indices, plain.indices)


def test_a_copy_with_the_same_state_encodes_the_same(config, quantizer, vectors):
    other = build(config, Quantizer)
    assert not torch.equal(other.encode(vectors), quantizer.encode(vectors))
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other.encode(vectors), quantizer.encode(vectors))


def test_vectors_of_another_dimension_are_refused_by_number(quantizer):
    with pytest.raises(ValueError, match=r"dimension 9.*dim=16"):
        quantizer.encode(torch.randn(3, 9))
    with pytest.raises(ValueError, match=r"dimension 9.*dim=16"):
        quantizer.fit(torch.randn(3, 9))


def test_too_many_columns_of_indices_are_refused_by_number(quantizer):
    with pytest.raises(ValueError, match=f"{quantizer.num_indices + 1} columns"):
        quantizer.decode(torch.zeros(2, quantizer.num_indices + 1, dtype=torch.int64))
