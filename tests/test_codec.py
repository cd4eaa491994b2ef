"""Images through the codec."""

import numpy as np
import pytest

from tests.conftest import TINY_MODEL
from vqvae.autoencoder import AutoEncoder
from vqvae.codec import Codec
from vqvae.coding import Uniform, unpack
from vqvae.errors import BitstreamError


@pytest.mark.parametrize("height", [1, 3, 4, 5, 31, 32])
@pytest.mark.parametrize("width", [1, 2, 8, 33])
def test_decoding_an_encoded_image_is_the_models_own_reconstruction(tiny_codec: Codec, height, width):
    image = np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8)
    decoded = tiny_codec.decompress(tiny_codec.compress(image))
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    assert np.array_equal(decoded, tiny_codec.reconstruct(image))


def test_real_images_of_any_kind_come_back_as_the_model_sees_them(tiny_codec: Codec, data_root, cifar10_test):
    from vqvae.images import read_image

    kodak = read_image(data_root / "kodak" / "kodim05.png")[:101, :203]
    for image in [kodak, *cifar10_test[:20].permute(0, 2, 3, 1).numpy()]:
        assert np.array_equal(tiny_codec.decompress(tiny_codec.compress(image)), tiny_codec.reconstruct(image))


def test_the_payload_has_the_bits_of_all_vectors_and_no_more(tiny_codec: Codec):
    data = tiny_codec.compress(np.zeros((33, 30, 3), np.uint8))
    vectors = 9 * 8
    assert len(unpack(data).payload) == vectors * tiny_codec.autoencoder.quantizer.bits_per_vector / 8
    assert len(data) - len(unpack(data).payload) == 12


def test_a_read_only_view_of_pixels_can_be_compressed(tiny_codec: Codec, photo):
    view = photo[::-1, ::2]
    view.flags.writeable = False
    assert tiny_codec.decompress(tiny_codec.compress(view)).shape == view.shape


def test_a_file_of_another_model_is_refused_with_both_fingerprints(tiny_codec: Codec, photo):
    other = Codec(AutoEncoder.from_config(TINY_MODEL), Uniform(3, 3), bytes(range(32)))
    with pytest.raises(BitstreamError, match="fingerprint is 000102.*this model's " + tiny_codec.fingerprint.hex()[:6]):
        tiny_codec.decompress(other.compress(photo))


def test_a_file_of_another_entropy_model_is_refused(tiny_codec: Codec, photo):
    container = unpack(tiny_codec.compress(photo))._replace(entropy_code=9)
    from vqvae.coding import pack

    with pytest.raises(BitstreamError, match="entropy model 9"):
        tiny_codec.decompress(pack(container))


def test_a_size_that_the_payload_does_not_fill_is_refused_before_any_memory_is_taken(tiny_codec: Codec, photo):
    from vqvae.coding import pack

    huge = unpack(tiny_codec.compress(photo))._replace(width=2**27, height=2**27)
    with pytest.raises(BitstreamError, match="damaged"):
        tiny_codec.decompress(pack(huge))
