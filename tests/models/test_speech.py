import numpy as np
import pytest
from safetensors.numpy import load, save

from vqvae.errors import ModelFileError
from vqvae.models.file import KEY, read_model
from vqvae.models.speech import load_speech, save_speech
from vqvae.models.store import SPEECH_FOLDER, find_model


def test_the_shipped_model_is_small():
    assert 0 < sum(path.stat().st_size for path in SPEECH_FOLDER.glob("*")) < 2_000_000


def test_a_model_that_is_written_again_is_the_same(tmp_path):
    codec = load_speech(find_model("speech"))
    config = {**read_model(find_model("speech")).config["quantizer"], "beam": 4}
    save_speech(tmp_path / "again.safetensors", config, codec.model, {})
    again = load_speech(find_model(str(tmp_path / "again.safetensors")))
    assert again.model_id == codec.model_id  # the search, too, may change
    samples = 0.1 * np.random.default_rng(0).standard_normal(1600)
    np.testing.assert_array_equal(again.decompress(codec.compress(samples)), codec.decompress(codec.compress(samples)))


def test_any_changed_table_is_another_model_or_none(tmp_path):
    path = tmp_path / "changed.safetensors"
    header = {KEY: read_header()}
    tensors = load(find_model("speech").read_bytes())
    for name in tensors:
        changed = {other: array.copy() for other, array in tensors.items()}
        changed[name].ravel()[0] += 1
        path.write_bytes(save(changed, header))
        try:
            assert load_speech(path).model_id != load_speech(find_model("speech")).model_id
        except ModelFileError as error:
            assert "\n" not in str(error)
        changed[name] = changed[name][:-1]
        path.write_bytes(save(changed, header))
        with pytest.raises(ModelFileError):
            load_speech(path)
        del changed[name]
        path.write_bytes(save(changed, header))
        with pytest.raises(ModelFileError, match=name.split(".")[-1]):
            load_speech(path)


def read_header() -> str:
    from safetensors import safe_open

    with safe_open(find_model("speech"), "np") as file:
        return file.metadata()[KEY]


def test_an_image_model_is_refused():
    with pytest.raises(ModelFileError, match="not for speech"):
        load_speech(find_model("photo"))


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelFileError, match="neither a file nor a bundled model"):
        find_model("singing")
