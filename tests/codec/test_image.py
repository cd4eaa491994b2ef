"""Images through the codec."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.conftest import TINY_MODEL, reconstruct, smooth_pictures
from tests.contracts.configs import load
from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import normalize, to_pixels
from vqvae.entropy import Uniform
from vqvae.errors import BitstreamError, ImageError, UnknownModelError, UsageError
from vqvae.formats import Coded, Container, ModelId, pack
from vqvae.formats.vqz import split, unpack
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, save_model


def opened(codec: ImageCodec, data: bytes) -> Container:
    return unpack(data, [codec.model_id])


@pytest.mark.parametrize("height", [1, 3, 4, 5, 31, 32])
@pytest.mark.parametrize("width", [1, 2, 8, 33])
def test_decoding_an_encoded_image_is_the_models_own_reconstruction(tiny_codec: ImageCodec, height, width):
    image = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    decoded = tiny_codec.decompress(tiny_codec.compress(image))
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    assert np.array_equal(decoded, reconstruct(tiny_codec, image))


def test_real_images_of_any_kind_come_back_as_the_model_sees_them(tiny_codec: ImageCodec, data_root, cifar10_test):
    from vqvae.media.images import read_image

    kodak = read_image(data_root / "kodak" / "kodim05.png")[:101, :203]
    for image in [kodak, *cifar10_test[:20].permute(0, 2, 3, 1).numpy()]:
        assert np.array_equal(tiny_codec.decompress(tiny_codec.compress(image)), reconstruct(tiny_codec, image))


def test_the_payload_has_the_bits_of_all_vectors_and_no_more(tiny_codec: ImageCodec):
    data = tiny_codec.compress(np.zeros((33, 30, 3), np.uint8))
    vectors = 9 * 8
    assert split(data).coded.payload_bytes == vectors * tiny_codec.autoencoder.quantizer.bits_per_vector / 8
    assert len(data) - split(data).coded.payload_bytes == 12


def test_a_read_only_view_of_pixels_can_be_compressed(tiny_codec: ImageCodec, photo):
    view = photo[::-1, ::2]
    view.flags.writeable = False
    assert tiny_codec.decompress(tiny_codec.compress(view)).shape == view.shape


def test_a_file_of_another_model_is_refused_with_both_ids(tiny_codec: ImageCodec, photo):
    own = tiny_codec.model_id.weights.hex()[:6]
    other = ImageCodec(build_autoencoder(TINY_MODEL), Uniform(3, 3), ModelId(bytes(range(32)), bytes(range(32))))
    with pytest.raises(UnknownModelError, match=f"its id begins with 000102, this model's with {own}"):
        tiny_codec.decompress(other.compress(photo))


def test_a_file_of_another_entropy_model_is_refused(tiny_codec: ImageCodec, photo):
    container = opened(tiny_codec, tiny_codec.compress(photo))._replace(coded=Coded(7, (b"",)))
    with pytest.raises(BitstreamError, match="entropy model 7"):
        tiny_codec.decompress(pack(container))


def test_a_size_that_the_payload_does_not_fill_is_refused_before_any_memory_is_taken(tiny_codec: ImageCodec, photo):
    huge = opened(tiny_codec, tiny_codec.compress(photo))._replace(width=2**27, height=2**27)
    with pytest.raises(BitstreamError, match="more than the limit of 178956970: raise it with --max-pixels"):
        tiny_codec.decompress(pack(huge))
    tiny_codec.size_limit.max_pixels = 2**60
    with pytest.raises(BitstreamError, match="damaged"):
        tiny_codec.decompress(pack(huge))


@pytest.fixture(scope="module")
def context_codec(tmp_path_factory: pytest.TempPathFactory) -> ImageCodec:
    """A tiny codec whose context model was fitted to noise."""
    context = {**load("entropy", "context"), "dim": 8, "hidden": [16, 8], "steps": 50, "batch": 256}
    config = {**TINY_MODEL, "entropy": context}
    torch.manual_seed(0)
    autoencoder = build_autoencoder(config)
    entropy_model = build_entropy_model(context, autoencoder)
    images = torch.randint(256, (50, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        indices = autoencoder.eval().encode(normalize(images)).numpy()
    entropy_model.fit(indices, autoencoder.quantizer.contributions())
    path = tmp_path_factory.mktemp("model") / "context.safetensors"
    save_model(path, config, autoencoder, entropy_model, {})
    return load_codec(path)


def test_the_smaller_of_entropy_coding_and_fixed_width_is_written(context_codec: ImageCodec, photo):
    flat = np.full((64, 64, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    for image in (flat, noise, photo, photo[:3, :3]):
        data = context_codec.compress(image)
        height, width = (-(-side // 4) for side in image.shape[:2])
        assert split(data).coded.payload_bytes <= -(-height * width * 9 // 8)
        assert np.array_equal(context_codec.decompress(data), reconstruct(context_codec, image))
    assert split(context_codec.compress(flat)).coded.entropy_code == 2


def test_a_file_of_fixed_width_needs_the_weights_alone(context_codec: ImageCodec, tiny_codec: ImageCodec, photo):
    """So files of before the entropy model was fitted, or fitted anew, stay readable."""
    container = opened(tiny_codec, tiny_codec.compress(photo))
    same_weights = ImageCodec(
        tiny_codec.autoencoder, context_codec.entropy_model, tiny_codec.model_id._replace(whole=bytes(32))
    )
    assert container.coded.entropy_code == 0
    assert np.array_equal(same_weights.decompress(pack(container)), reconstruct(tiny_codec, photo))


@pytest.mark.parametrize("cut", [False, True])
def test_the_first_stages_give_what_their_codewords_alone_give(context_codec: ImageCodec, photo, cut):
    data = context_codec.compress(photo, progressive=True)
    coded = split(data).coded
    everything = context_codec.decode_indices([coded], 37, 53)
    end = len(data) - sum(len(section) + 5 for section in coded.sections)
    for stages in (1, 2, 3):
        end += len(coded.sections[stages - 1]) + 5
        decoded = context_codec.decompress(data[:end]) if cut else context_codec.decompress(data, stages)
        images = context_codec.autoencoder.decode(torch.from_numpy(everything[..., :stages]))
        expected = to_pixels(images)[0, :, :37, :53].permute(1, 2, 0).numpy()
        assert np.array_equal(decoded, expected)


def test_the_stages_of_any_file_can_be_left_out(context_codec: ImageCodec, photo):
    whole, progressive = context_codec.compress(photo), context_codec.compress(photo, progressive=True)
    assert np.array_equal(context_codec.decompress(whole, 2), context_codec.decompress(progressive, 2))


def test_more_stages_than_there_are_is_refused(context_codec: ImageCodec, photo):
    container = opened(context_codec, context_codec.compress(photo, progressive=True))
    with pytest.raises(BitstreamError, match="has 4 stages, but its model has 3"):
        context_codec.decompress(pack(container._replace(coded=Coded(2, (*container.coded.sections, b""), True))))


def test_a_quantiser_without_prefixes_makes_no_progressive_files(photo):
    config = {**TINY_MODEL, "quantizer": {**load("quantizer", "pvq"), "dim": 8}}
    codec = ImageCodec(build_autoencoder(config), Uniform(4, 4), ModelId(bytes(32), bytes(32)))
    with pytest.raises(UsageError, match="ProductVQ cannot be decoded from its first stages alone"):
        codec.compress(photo, progressive=True)
    with pytest.raises(UsageError, match="ProductVQ"):
        codec.decompress(codec.compress(photo), stages=2)


def test_a_batch_gives_what_its_images_give_alone(context_codec: ImageCodec):
    images = np.random.default_rng(0).integers(256, size=(5, 32, 32, 3), dtype=np.uint8)
    images[2] = 7  # coded in another way than the others, perhaps
    coded = context_codec.compress_batch(images)
    alone = [context_codec.compress_batch(image[None])[0] for image in images]
    assert coded == alone
    decoded = context_codec.decompress_batch(coded, 32, 32)
    for image, one in zip(decoded, alone, strict=True):
        assert np.abs(image.astype(int) - context_codec.decompress_batch([one], 32, 32)[0]).max() <= 1


def test_an_image_in_tiles_is_the_same_as_in_one_piece(tiny_codec, monkeypatch):
    image = np.random.default_rng(0).integers(256, size=(230, 330, 3), dtype=np.uint8)
    whole = tiny_codec.indices(image[None])
    pixels = tiny_codec.transform.synthesis(whole, 230, 330)
    monkeypatch.setattr(tiny_codec.transform, "tile", 64)
    assert np.mean(tiny_codec.indices(image[None]) != whole) < 1e-3  # a tie may be rounded the other way
    assert np.abs(tiny_codec.transform.synthesis(whole, 230, 330).astype(int) - pixels).max() <= 1


def test_a_pickled_codec_writes_the_same_bytes_and_is_no_larger_after_use(many_rates_codec: ImageCodec, photo):
    fresh = len(pickle.dumps(many_rates_codec))
    data = many_rates_codec.compress(photo)
    assert len(pickle.dumps(many_rates_codec)) == fresh
    copy = pickle.loads(pickle.dumps(many_rates_codec))
    assert copy.compress(photo) == data and np.array_equal(copy.decompress(data), many_rates_codec.decompress(data))


def test_threads_share_a_codec(many_rates_codec: ImageCodec):
    images = smooth_pictures(8, 48).permute(0, 2, 3, 1).numpy()
    alone = [many_rates_codec.compress(image) for image in images]
    fresh = pickle.loads(pickle.dumps(many_rates_codec))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fresh.compress, images)) == alone


def test_an_image_that_would_be_padded_to_many_times_its_size_is_refused_beforehand(tiny_codec):
    tiny_codec.size_limit.max_pixels = 10_000
    stride = tiny_codec.autoencoder.stride
    longest = 2 * 10_000 // stride
    assert tiny_codec.compress(np.zeros((1, longest, 3), np.uint8))
    padded = stride * (longest + stride)
    with pytest.raises(ImageError, match=rf"has {longest + 1}×1 pixels, {padded} when padded to multiples of {stride}"):
        tiny_codec.compress(np.zeros((1, longest + 1, 3), np.uint8))


def test_a_file_that_claims_such_an_image_is_refused_before_it_takes_memory(tiny_codec):
    container = opened(tiny_codec, tiny_codec.compress(np.zeros((8, 8, 3), np.uint8)))
    hostile = pack(container._replace(width=tiny_codec.size_limit.max_pixels, height=1))
    with pytest.raises(BitstreamError, match="when padded to multiples of"):
        tiny_codec.decompress(hostile)


@pytest.mark.parametrize(
    ("quantizer", "layers"),
    [
        ({"_target_": "product_residual_vq", "dim": 8, "pieces": 2, "stages": 3, "codebook_bits": 3}, 3),
        ({"_target_": "residual_vq", "dim": 8, "stages": 3, "codebook_size": 5}, 3),
        ({"_target_": "product_vq", "dim": 8, "stages": 2, "codebook_size": 6}, 1),
    ],
)
def test_quantisers_of_any_layers_and_codebook_sizes_make_files(quantizer, layers, photo):
    config = {**TINY_MODEL, "quantizer": quantizer}
    autoencoder = build_autoencoder(config)
    codec = ImageCodec(autoencoder, build_entropy_model(config["entropy"], autoencoder), ModelId(bytes(32), bytes(32)))
    assert codec.stages == layers
    assert np.array_equal(codec.decompress(codec.compress(photo)), reconstruct(codec, photo))
    if layers > 1:
        data = codec.compress(photo, progressive=True)
        assert len(split(data).sections) == layers
        assert np.array_equal(codec.decompress(data), reconstruct(codec, photo))
        first = autoencoder.quantizer.prefixes[0]
        indices = codec.decode_indices([split(data).coded], 37, 53, stages=1)
        assert indices.shape[-1] == first and codec.decompress(data, stages=1).shape == photo.shape
