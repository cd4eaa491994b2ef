"""Writes golden files of the present version: python -m tests.golden.make. Files of earlier versions stay as they are.

For each quantiser a model with random weights and a fitted context model, and for one a histogram; with each, a file,
the indices in it, and the image that it decodes to; with those that can be cut, a progressive file as well.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.conftest import MANY_RATES, TINY_MODEL
from vqvae.codec import ImageCodec
from vqvae.codec.autoencoder import normalize, to_vectors
from vqvae.formats import Chunks
from vqvae.formats.chunks import NOTHING
from vqvae.formats.vqa.block import Entry
from vqvae.formats.vqa.reader import VERSION as ARCHIVE_VERSION
from vqvae.formats.vqa.writer import append
from vqvae.formats.vqz import VERSION, WITH_CHUNKS, split
from vqvae.media.images import Picture
from vqvae.media.metadata_chunks import to_chunks
from vqvae.models.build import build_autoencoder, build_entropy_model
from vqvae.models.file import load_codec, round_to_half, save_model
from vqvae.networks import LappedDecoder, LappedEncoder
from vqvae.quantizers import PrefixDecodable

FOLDER = Path(__file__).parent
CONTEXT = {
    "_target_": "context",
    "dim": 8,
    "hidden": [16, 8],
    "steps": 300,
    "batch": 256,
    "learning_rate": 0.01,
}
ARCHIVE = f"v{ARCHIVE_VERSION}-archive-of-v{VERSION}"
BESIDES = ("profile", "exif", "xmp")
HISTOGRAM = {"_target_": "histogram"}
RVQ = {"_target_": "residual_vq", "dim": 8, "stages": 3, "codebook_bits": 3, "beam": 4}
AVQ = {"_target_": "additive_vq", "dim": 8, "stages": 3, "codebook_bits": 4, "beam": 4}
VQ = {"_target_": "vq", "dim": 8, "codebook_bits": 7}
PVQ = {"_target_": "product_vq", "dim": 8, "stages": 2, "codebook_bits": 5}
CONFIGS = {
    "vq": {**TINY_MODEL, "quantizer": VQ, "entropy": CONTEXT},
    "rvq": {**TINY_MODEL, "quantizer": RVQ, "entropy": CONTEXT},
    "pvq": {**TINY_MODEL, "quantizer": PVQ, "entropy": CONTEXT},
    "avq": {**TINY_MODEL, "quantizer": {**AVQ, "refinements": 0}, "entropy": CONTEXT},
    "rvq-histogram": {**TINY_MODEL, "quantizer": RVQ, "entropy": HISTOGRAM},
    "many-rates": {**MANY_RATES, "entropy": CONTEXT, "qualities": {"finest": 1e-2, "coarsest": 1.0}},
}


def main() -> None:
    y, x = np.mgrid[0:21, 0:38]
    waves = 20 * np.sin(x * y / 9)
    picture = (
        np.stack([6 * x + waves, 12 * y - waves, 128 + 100 * np.sign(x - y)], axis=-1).clip(0, 255).astype(np.uint8)
    )
    for name, config in CONFIGS.items():
        stem = f"v{VERSION}-{name}"
        codec = make_codec(config, FOLDER / f"{stem}.safetensors")
        write(codec, picture, stem, progressive=False)
        if isinstance(codec.autoencoder.quantizer, PrefixDecodable):
            write(codec, picture, f"{stem}-progressive", progressive=True)
        if name == "rvq":
            write_archive(codec, picture)
            write_with_chunks(codec, picture)


def write_archive(codec: ImageCodec, picture: np.ndarray) -> None:
    """An archive of three crops, in two appendings."""
    path = FOLDER / f"{ARCHIVE}.vqa"
    path.unlink(missing_ok=True)
    crops = {"a.png": picture[:16, :16], "deep/b.png": picture[5:, 3:], "deep/c.png": picture[:16, 9:25]}
    for names in (["a.png", "deep/b.png"], ["deep/c.png"]):
        with append(path, codec.model_id) as appender:
            for name in names:
                height, width, _ = crops[name].shape
                coded = codec.compress_batch(crops[name][None])[0]
                appender.add(Entry(name, width, height, coded.entropy_code, coded.sections[0]))
    indices = {name: codec.indices(crop[None])[0] for name, crop in crops.items()}
    np.savez_compressed(FOLDER / f"{ARCHIVE}.npz", **indices)


def write_with_chunks(codec: ImageCodec, picture: np.ndarray) -> None:
    """Files with all kinds of chunks; profile and metadata are none, but nobody looks into them."""
    alpha = (picture[..., 0] // 2 + 100).astype(np.uint8)
    besides = Picture(picture, True, alpha, *(f"the {name} of the picture".encode() for name in BESIDES))
    for suffix, progressive in {"": False, "-progressive": True}.items():
        write(codec, picture, f"v{WITH_CHUNKS}-rvq{suffix}", progressive, to_chunks(besides))
    np.save(FOLDER / f"v{WITH_CHUNKS}-alpha.npy", alpha)


def make_codec(config: dict[str, Any], path: Path) -> ImageCodec:
    torch.manual_seed(0)
    autoencoder = build_autoencoder(config)
    if isinstance(autoencoder.encoder, LappedEncoder) and isinstance(autoencoder.decoder, LappedDecoder):
        basis = torch.linalg.qr(torch.randn(3 * 8 * 8, 12))[0].T.reshape(12, 3, 8, 8)
        for network in (autoencoder.encoder, autoencoder.decoder):
            network.initialize_from_basis(basis, torch.zeros(3, 8, 8))
    smooth = torch.nn.functional.interpolate(torch.rand(64, 3, 4, 4) * 255, scale_factor=8, mode="bicubic")
    images = (smooth + 20 * torch.randn_like(smooth)).clamp(0, 255).byte()
    with torch.no_grad():
        autoencoder.quantizer.fit(to_vectors(autoencoder.encoder(normalize(images))))
    round_to_half(autoencoder)
    with torch.inference_mode():
        indices = autoencoder.encode(normalize(images)).numpy()
    entropy_model = build_entropy_model(config["entropy"], autoencoder)
    entropy_model.fit(indices, autoencoder.quantizer.contributions())
    save_model(path, config, autoencoder, entropy_model, {})
    return load_codec(path)


def write(codec: ImageCodec, picture: np.ndarray, stem: str, progressive: bool, chunks: Chunks = NOTHING) -> None:
    data = codec.compress(picture, progressive=progressive, chunks=chunks)
    coded = split(data).coded
    assert coded.entropy_code == codec.entropy_model.code, "the entropy model should be worth its while"
    (FOLDER / f"{stem}.vqz").write_bytes(data)
    np.save(FOLDER / f"{stem}.npy", codec.indices(picture[None])[0].astype(np.uint8))
    Image.fromarray(codec.decompress(data)).save(FOLDER / f"{stem}.png")


if __name__ == "__main__":
    main()
