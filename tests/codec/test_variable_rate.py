"""Images at a rate that is chosen: by λ, and by networks that take a rate."""

import numpy as np
import pytest
import torch

from tests.conftest import TINY_MODEL, smooth_pictures
from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import AutoEncoder, normalize, to_vectors
from vqvae.errors import BitstreamError, UsageError
from vqvae.formats import Chunks, Coded, Kind
from vqvae.formats.vqz import split
from vqvae.networks import ConvDecoder, ConvEncoder


def squared_error(image: np.ndarray, decoded: np.ndarray) -> float:
    return float(((image.astype(float) - decoded) ** 2).sum())


def test_a_higher_quality_takes_more_bytes_for_less_error(many_rates_codec: ImageCodec):
    image = smooth_pictures(1, 96)[0].permute(1, 2, 0).numpy()
    files = [many_rates_codec.compress(image, quality=quality) for quality in (0.0, 50.0, 100.0)]
    sizes = [len(data) for data in files]
    errors = [squared_error(image, many_rates_codec.decompress(data)) for data in files]
    assert 2 * sizes[0] < sizes[1] < sizes[2]
    assert errors[0] > 2 * errors[1] > 2 * errors[2]
    assert many_rates_codec.compress(image) == files[1]


@torch.no_grad()
def test_choosing_by_distortion_and_bits_beats_the_nearest_codewords_that_take_as_much(many_rates_codec: ImageCodec):
    """At the weight that a choice was made by, nothing else that is tried has less distortion + weight · bits."""
    image = smooth_pictures(1, 96)[0].permute(1, 2, 0).numpy()[None]
    assert many_rates_codec.chooser.lambda_range
    indices = {quality: many_rates_codec.indices(image, quality) for quality in (0.0, 40.0, 100.0)}
    indices[-1.0] = many_rates_codec.autoencoder.encode(normalize(torch.from_numpy(image).permute(0, 3, 1, 2))).numpy()
    latent = many_rates_codec.autoencoder.encoder(normalize(torch.from_numpy(image).permute(0, 3, 1, 2)))
    vectors = to_vectors(latent)
    weight = many_rates_codec.chooser.lambda_range.lmbda(40.0)
    costs = {
        quality: float(
            (many_rates_codec.autoencoder.quantizer.decode(torch.from_numpy(chosen).flatten(0, 2)) - vectors)
            .square()
            .sum()
        )
        + weight * many_rates_codec.entropy_model.bits(chosen)[0]
        for quality, chosen in indices.items()
    }
    assert min(costs, key=costs.__getitem__) == 40.0


@pytest.mark.parametrize("chunks", [{}, {Kind.XMP: bytes(20)}])
def test_a_rate_is_found_by_search(many_rates_codec: ImageCodec, chunks: Chunks):
    image = smooth_pictures(1, 96)[0].permute(1, 2, 0).numpy()
    for bpp in (0.15, 0.17):
        quality = many_rates_codec.quality_for(image, bpp, chunks)
        qualities = quality, min(100.0, quality + 1)
        sizes = [len(many_rates_codec.compress(image, chunks=chunks, quality=one)) for one in qualities]
        assert sizes[0] * 8 <= bpp * 96 * 96 < sizes[1] * 8
    assert many_rates_codec.quality_for(image, 9.0) == 100.0
    with pytest.raises(UsageError, match=r"0.01 bpp cannot be reached: quality 0 takes 0\.\d+ bpp"):
        many_rates_codec.quality_for(image, 0.01)


def test_a_quality_that_there_is_not_is_refused(many_rates_codec: ImageCodec, tiny_codec: ImageCodec, photo):
    with pytest.raises(UsageError, match=r"quality is 101\.0, but must be from 0 to 100"):
        many_rates_codec.compress(photo, quality=101.0)
    with pytest.raises(UsageError, match="one rate"):
        tiny_codec.compress(photo, quality=50.0)


def test_a_search_for_a_rate_runs_the_encoder_once(many_rates_codec: ImageCodec):
    image = smooth_pictures(1, 96)[0].permute(1, 2, 0).numpy()
    calls = []
    many_rates_codec.autoencoder.encoder.register_forward_hook(lambda *_: calls.append(1))
    quality = many_rates_codec.quality_for(image, 0.17)
    assert len(calls) == 1
    assert 8 * len(many_rates_codec.compress(image, quality=quality)) <= 0.17 * 96 * 96


class ScaledEncoder(ConvEncoder):
    """Takes a rate."""

    takes_rate = True

    def forward(self, image: torch.Tensor, rate: float) -> torch.Tensor:
        return (1 + rate) * super().forward(image)


class ScaledDecoder(ConvDecoder):
    """Undoes it."""

    takes_rate = True

    def forward(self, latent: torch.Tensor, rate: float) -> torch.Tensor:
        return super().forward(latent / (1 + rate))


@pytest.fixture
def rate_codec(tiny_codec: ImageCodec) -> ImageCodec:
    networks = {}
    for part, kind in (("encoder", ScaledEncoder), ("decoder", ScaledDecoder)):
        arguments = {name: value for name, value in TINY_MODEL[part].items() if name != "_target_"}
        networks[part] = kind(**arguments)
        networks[part].load_state_dict(getattr(tiny_codec.autoencoder, part).state_dict())
    autoencoder = AutoEncoder(networks["encoder"], tiny_codec.autoencoder.quantizer, networks["decoder"])
    return ImageCodec(autoencoder, tiny_codec.entropy_model, tiny_codec.model_id)


def test_networks_that_take_a_rate_find_it_in_the_file(rate_codec: ImageCodec, tiny_codec: ImageCodec, photo):
    files = [rate_codec.compress(photo, quality=quality) for quality in (0.0, 40.0, 100.0)]
    assert [split(data).coded.sections[0][0] for data in files] == [0, 102, 255]
    assert rate_codec.compress(photo) == rate_codec.compress(photo, quality=50.0)
    coarsest = tiny_codec.compress(photo)
    assert split(files[0]).coded.sections[0][1:] == split(coarsest).coded.sections[0]
    assert np.array_equal(rate_codec.decompress(files[0]), tiny_codec.decompress(coarsest))
    finest = rate_codec.autoencoder.encode(normalize(torch.from_numpy(photo[:36, :52]).permute(2, 0, 1)[None]), 1.0)
    whole = rate_codec.compress(photo[:36, :52], quality=100.0)
    assert np.array_equal(rate_codec.decode_indices([split(whole).coded], 36, 52), finest.numpy())
    batch = rate_codec.decompress_batch([split(data).coded for data in files], 37, 53)
    for image, data in zip(batch, files, strict=True):
        assert np.abs(image.astype(int) - rate_codec.decompress(data)).max() <= 1


def test_a_file_without_the_rate_that_its_networks_take_is_refused(rate_codec: ImageCodec):
    with pytest.raises(BitstreamError, match="should begin with the rate"):
        rate_codec.decompress_batch([Coded(0, (b"",))], 4, 4)
