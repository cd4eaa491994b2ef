"""Variable-rate models whose files have a section for each layer of indices."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder
from vqvae.codec.rate_control import CONTEXT_SHARE, IndexChooser, LambdaRange, TypicalBits, rdo_quantize_layers
from vqvae.entropy import LayeredContext
from vqvae.errors import BitstreamError, ConfigError, UsageError
from vqvae.formats import Coded, ModelId
from vqvae.formats.vqz import split
from vqvae.models.file import load_codec, save_model
from vqvae.networks import VariableRateDecoder, VariableRateEncoder
from vqvae.quantizers import ProductResidualVQ
from vqvae.training import VariableRate

NETWORK = {"dim": 6, "channels": [4, 4, 4], "blocks": [1, 1, 1]}
QUANTIZER = {"dim": 6, "pieces": 2, "stages": 3, "codebook_bits": 3}
ENTROPY = {
    "layers": 3,
    "dim": 4,
    "earlier_dim": 4,
    "hidden": [[8, 8]] * 3,
    "rates": 4,
    "steps": 30,
    "batch": 64,
    "learning_rate": 0.01,
}
RATES = {"lambda_min": 4.0, "lambda_max": 4000.0, "levels": 4, "stage_lambdas": [500.0, 50.0], "decay": 0.5}


@pytest.fixture(scope="module")
def training() -> VariableRate:
    torch.manual_seed(0)
    quantizer = ProductResidualVQ(**QUANTIZER)
    scales = torch.tensor([0.4, 0.2, 0.1]).repeat_interleave(2)[:, None, None]
    quantizer.codebooks.data.copy_(scales * torch.randn(quantizer.codebooks.shape))
    quantizer.codebooks.data[:, 0] = 0
    autoencoder = AutoEncoder(VariableRateEncoder(**NETWORK), quantizer, VariableRateDecoder(**NETWORK))
    return VariableRate(
        autoencoder, partial(torch.optim.Adam, lr=1e-3), torch.optim.lr_scheduler.ConstantLR, **RATES
    ).eval()


@pytest.fixture(scope="module")
def path(training, tmp_path_factory) -> Path:
    """A model file, as a training writes it."""
    torch.manual_seed(1)
    images = torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8)
    model = LayeredContext(6, 3, **ENTROPY)
    fitted = training.fit_entropy_model(model, images.split(5), images[:6].split(4))
    assert 0 < fitted.payload_bpp < 6 * 3 / 64
    config = {
        "encoder": {"_target_": "variable_rate_encoder", **NETWORK},
        "decoder": {"_target_": "variable_rate_decoder", **NETWORK},
        "quantizer": {"_target_": "product_residual_vq", **QUANTIZER},
        "entropy": {"_target_": "layered_context", **ENTROPY},
        "qualities": training.qualities,
    }
    path = tmp_path_factory.mktemp("model") / "layered.safetensors"
    save_model(path, config, training.autoencoder, model, {}, typical_bits=fitted.typical_bits)
    return path


@pytest.fixture(scope="module")
def codec(path) -> ImageCodec:
    return load_codec(path)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(45, 61, 3), dtype=np.uint8)


def test_higher_qualities_have_more_sections(codec, image):
    files = {quality: codec.compress(image, quality=quality) for quality in (0.0, 34.0, 67.0, 100.0)}
    assert [len(split(data).coded.sections) for data in files.values()] == [1, 2, 3, 3]
    assert [split(data).coded.sections[0][0] for data in files.values()] == [0, 87, 171, 255]
    for quality, data in files.items():
        indices = codec.indices(image[None], quality)
        assert np.array_equal(codec.decode_indices([split(data).coded], 45, 61), indices)
        expected = codec.transform.synthesis(indices, 45, 61, round(quality * 2.55) / 255)[0]
        assert np.array_equal(codec.decompress(data), expected)


def test_a_file_can_be_cut_after_any_section(codec, image):
    data = codec.compress(image, quality=100.0)
    layers = codec.decode_indices([split(data).coded], 45, 61)
    for stages, indices in ((1, layers[..., :2]), (2, layers[..., :4])):
        preview = codec.transform.synthesis(indices, 45, 61, 1.0)[0]
        assert np.array_equal(codec.decompress(data, stages), preview)
        _, end = split(data).sections[stages - 1]
        assert np.array_equal(codec.decompress(data[: end + 4]), preview)


def test_files_of_different_qualities_are_decompressed_together(codec, image):
    files = [codec.compress(image, quality=quality) for quality in (0.0, 100.0, 0.0, 50.0)]
    coded = [split(data).coded for data in files]
    for data, decoded in zip(files, codec.decompress_batch(coded, 45, 61), strict=True):
        assert np.abs(codec.decompress(data).astype(int) - decoded).max() <= 1
    with pytest.raises(UsageError, match="different numbers of stages"):
        codec.decode_indices(coded, 45, 61)
    assert codec.decode_indices(coded, 45, 61, stages=1).shape == (4, 6, 8, 2)


def test_each_layer_is_chosen_by_distance_and_bits(codec):
    """An unfitted model finds all indices equally likely, so that the typical bits decide."""
    quantizer, draws = codec.autoencoder.quantizer, np.random.default_rng(3)
    vectors = draws.normal(scale=0.5, size=(1, 4, 5, 6)).astype(np.float32)
    typical = draws.uniform(0, 9, size=(6, 8)).astype(np.float32)
    model = LayeredContext(6, 3, **ENTROPY)
    chosen = rdo_quantize_layers(vectors, quantizer, model, 0.02, 2, typical)
    assert chosen.shape == (1, 4, 5, 4)
    remainder = vectors.reshape(1, 4, 5, 2, 3).astype(float)
    for index in range(4):
        codebook = quantizer.codebooks[index].detach().numpy().astype(float)
        costs = np.square(remainder[..., index % 2, None, :] - codebook).sum(-1)
        costs += 0.02 * (1 - CONTEXT_SHARE) * typical[index]
        assert np.array_equal(chosen[..., index], costs.argmin(-1))
        remainder[..., index % 2, :] -= codebook[chosen[..., index]]


def test_typical_bits_are_interpolated_between_rates():
    table = torch.arange(3.0)[:, None, None].expand(3, 2, 4)
    assert TypicalBits(table).at_rate(0)[0, 0] == 0 and TypicalBits(table).at_rate(255)[1, 3] == 2
    assert TypicalBits(table).at_rate(51) == pytest.approx(np.full((2, 4), 0.4))


def test_the_number_of_layers_follows_from_the_quality():
    range_ = LambdaRange.from_config({"finest": 1.0, "coarsest": 100.0, "stage_limits": [20.0, 2.0]})
    assert [range_.layers(quality) for quality in (0.0, 34.0, 36.0, 84.0, 86.0, 100.0)] == [1, 1, 2, 2, 3, 3]


def test_the_encoder_alone_decides_about_rates(path, codec, image, tmp_path):
    """A model without typical bits, and with other qualities, reads the same files."""
    other = load_codec(path)
    other.chooser = IndexChooser(other.autoencoder.quantizer, other.entropy_model, LambdaRange(1e-5, 1e-2))
    data = other.compress(image, quality=80.0)
    assert other.model_id == codec.model_id
    assert len(split(data).coded.sections) == 1
    assert np.array_equal(codec.decompress(data), other.decompress(data))


def test_a_file_without_sections_is_refused(codec):
    with pytest.raises(BitstreamError, match="has no stages, but the files of its model do"):
        codec.decompress_batch([Coded(3, (b"\x10" + bytes(9),))], 16, 16)


def test_layers_that_are_not_the_stages_are_refused(codec):
    model = LayeredContext(6, 3, **{**ENTROPY, "layers": 2, "hidden": [[8, 8]] * 2})
    with pytest.raises(ConfigError, match=r"end with \(3, 6\) indices, but the quantiser's stages with \(2, 4, 6\)"):
        ImageCodec(codec.autoencoder, model, ModelId(bytes(32), bytes(32)))
