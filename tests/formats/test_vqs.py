import zlib

import pytest

from vqvae.errors import BitstreamError
from vqvae.formats.vqs import SpeechContainer, overhead_bytes, pack_speech, read_header, unpack_speech

MODEL = bytes(range(32))


@pytest.mark.parametrize(
    "container",
    [
        SpeechContainer(1, MODEL, False, 0, b""),
        SpeechContainer(160000, MODEL, True, -2048, b"payload"),
        SpeechContainer(2**28 - 1, MODEL, False, 8191, bytes(9)),
    ],
)
def test_what_is_packed_comes_back(container):
    data = pack_speech(container)
    assert unpack_speech(data, MODEL) == container
    assert read_header(data).hint == MODEL[:3]
    assert len(data) == overhead_bytes(container.samples) + len(container.payload)


def test_the_bytes_are_as_described():
    data = pack_speech(SpeechContainer(300, MODEL, True, -2, b"\xaa"))
    assert data[:-4] == bytes.fromhex("5653 11 ac02 000102 fffe aa")
    assert data[-4:] == zlib.crc32(MODEL + data[:-4]).to_bytes(4, "big")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not a .vqs file"),
        (b"VQ" + bytes(40), "not a .vqs file"),
        (b"VS\x10", "ends within its header"),
        (b"VS\x20" + bytes(40), "version 2"),
        (b"VS\x10\x00" + bytes(40), "no valid size"),
    ],
)
def test_foreign_files_are_refused(data, message):
    with pytest.raises(BitstreamError, match=message):
        unpack_speech(data, MODEL)


def test_a_model_with_the_same_hint_is_told_by_the_checksum():
    data = pack_speech(SpeechContainer(300, MODEL, False, 0, b"x"))
    with pytest.raises(BitstreamError, match="checksum"):
        unpack_speech(data, MODEL[:31] + b"!")


def test_unknown_flags_are_refused():
    body = b"VS\x12\x05" + MODEL[:3] + bytes(2)
    with pytest.raises(BitstreamError, match="unknown flags"):
        unpack_speech(body + zlib.crc32(MODEL + body).to_bytes(4, "big"), MODEL)
