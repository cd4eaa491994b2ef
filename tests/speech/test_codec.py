from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech.conftest import vowel
from vqvae.errors import BitstreamError, UsageError
from vqvae.formats.vqs import pack_speech, unpack_speech
from vqvae.speech.mdct import FRAME
from vqvae.speech.rate import RESERVOIR_FRAMES, UNIT
from vqvae.speech.spectrum import scale_classes


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("kbps", [6.0, 8.0, 13.2, 31.7, 64.0])
def test_a_file_keeps_its_rate(codec, speech, kbps, constant):
    data = codec.compress(speech, kbps, constant)
    share = len(data) * 8 / 3 / 1000 / kbps
    assert (0.9 if constant else 0.99) < share <= 1
    assert codec.decompress(data).shape == speech.shape


@pytest.mark.parametrize("kbps", [6.0, 8.0, 24.4, 64.0])
@pytest.mark.parametrize("signal", ["vowel", "noise", "clicks", "full scale"])
def test_no_frame_of_constant_rate_exceeds_its_budget_and_reservoir(codec, kbps, signal):
    draws = np.random.default_rng(0)
    samples = {
        "vowel": vowel(2, 5),
        "noise": 0.1 * draws.standard_normal(32000),
        "clicks": (draws.random(32000) < 0.001).astype(np.float64),
        "full scale": np.sign(np.sin(np.arange(32000) / 20.0)),
    }[signal]
    container = unpack_speech(codec.compress(samples, kbps, constant=True), codec.model_id)
    share = codec.budget(len(samples), kbps) / (len(samples) // FRAME + 1)
    filling, before, indices_before, last = 0.0, np.zeros(FRAME, np.int32), np.zeros(4, np.int64), 0
    for indices, step, quantised in codec.read(container):
        ratio = codec._bins(indices[None]).ratio[0] - container.step - UNIT * step
        bits = codec.coder.index_bits(np.stack([indices_before, indices]))[1]
        bits += codec.coder.change_bits(np.array([step - last]))[0]
        bits += codec.coder.next_bits(before, quantised, scale_classes(ratio))
        filling = filling + share - bits
        assert filling >= 0
        filling = min(filling, RESERVOIR_FRAMES * share)
        before, indices_before, last = quantised, indices, step


def test_more_bits_are_nearer(codec, speech):
    errors = [np.square(codec.decompress(codec.compress(speech, k)) - speech).mean() for k in (8.0, 16.4, 32.0, 64.0)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01 * np.square(speech).mean()


@pytest.mark.parametrize("constant", [False, True])
def test_a_stream_is_the_same_signal_frame_by_frame(codec, speech, constant):
    data = codec.compress(speech, 13.2, constant)
    parts = list(codec.stream(data))
    assert max(map(len, parts)) == FRAME
    np.testing.assert_allclose(np.concatenate(parts), codec.decompress(data), atol=1e-6)


@pytest.mark.parametrize("samples", [320, 1000, 4000])
def test_short_signals_come_back(codec, samples):
    assert len(codec.decompress(codec.compress(vowel(0.25)[:samples], 24.4))) == samples


def test_silence_takes_few_bytes(codec):
    assert len(codec.compress(np.zeros(32000), 13.2)) < 600


@pytest.mark.parametrize(
    "samples, kbps, message",
    [(np.zeros(0), 13.2, "0 samples"), (np.zeros(99), 5.0, "out of range"), (np.zeros(99), 65.0, "out of range")],
)
def test_what_cannot_be_is_said(codec, samples, kbps, message):
    with pytest.raises(UsageError, match=message):
        codec.compress(samples, kbps)


@pytest.fixture(scope="module")
def small(codec) -> bytes:
    return codec.compress(vowel(0.4), 13.2, constant=True)


def test_every_changed_byte_is_noticed(codec, small):
    for place in range(len(small)):
        damaged = small[:place] + bytes([small[place] ^ 0x10]) + small[place + 1 :]
        with pytest.raises(BitstreamError):
            codec.decompress(damaged)


def test_every_truncation_is_noticed(codec, small):
    for length in range(len(small)):
        with pytest.raises(BitstreamError):
            codec.decompress(small[:length])


@settings(max_examples=60, deadline=None)
@given(
    payload=st.binary(max_size=300),
    samples=st.integers(1, 4000),
    constant=st.booleans(),
    step=st.integers(-(2**15), 2**15 - 1),
)
def test_hostile_payloads_are_refused_and_nothing_else(codec, small, payload, samples, constant, step):
    container = unpack_speech(small, codec.model_id)._replace(
        payload=payload, samples=samples, constant=constant, step=step
    )
    with suppress(BitstreamError):
        assert len(codec.decompress(pack_speech(container))) == samples


def test_a_file_that_claims_hours_is_refused_at_once(codec, small):
    container = unpack_speech(small, codec.model_id)._replace(samples=2**28 - 1)
    with pytest.raises(BitstreamError, match="too short"):
        codec.decompress(pack_speech(container))


def test_another_models_file_is_refused(codec, small):
    other = pack_speech(unpack_speech(small, codec.model_id)._replace(model_id=bytes(32)))
    with pytest.raises(BitstreamError, match="another model"):
        codec.decompress(other)


@pytest.mark.parametrize(
    "samples, rule",
    [
        (np.zeros(0), "from 1 to"),
        (np.zeros((2, 100)), "one channel"),
        (np.full(100, 3, np.int16), "floats"),
        (np.full(100, np.nan), "NaN"),
        (np.full(100, 1e6), "from −1 to 1"),
    ],
)
def test_samples_of_another_kind_are_refused(codec, samples, rule):
    with pytest.raises(UsageError, match=rule) as error:
        codec._check(samples, 13.2)  # `compress` has it first, but in tests its types are checked before
    assert "\n" not in str(error.value)
