"""Writes golden files of the present version: python -m tests.golden.make. Files of earlier versions stay as they are.

For each quantiser a model with random weights, one file, the indices in it, and the image that it decodes to.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.conftest import TINY_MODEL
from vqvae.autoencoder import AutoEncoder
from vqvae.coding import unpack
from vqvae.coding.container import VERSION
from vqvae.model_file import build_entropy_model, load_codec, save_model

FOLDER = Path(__file__).parent
CONFIGS = {
    "vq": {"_target_": "vqvae.quantizers.vq.VQ", "dim": 8, "codebook_bits": 7},
    "rvq": {"_target_": "vqvae.quantizers.residual.ResidualVQ", "dim": 8, "stages": 3, "codebook_bits": 3, "beam": 4},
    "pvq": {"_target_": "vqvae.quantizers.product.ProductVQ", "dim": 8, "stages": 2, "codebook_bits": 5},
    "avq": {"_target_": "vqvae.quantizers.additive.AdditiveVQ", "dim": 8, "stages": 3, "codebook_bits": 4, "beam": 4},
}


def main() -> None:
    y, x = np.mgrid[0:21, 0:38]
    picture = np.stack([6 * x, 12 * y, 128 + 100 * np.sign(x - y)], axis=-1).clip(0, 255).astype(np.uint8)
    for name, quantizer in CONFIGS.items():
        torch.manual_seed(0)
        stem = f"v{VERSION}-{name}"
        config = {**TINY_MODEL, "quantizer": quantizer}
        autoencoder = AutoEncoder.from_config(config)
        entropy_model = build_entropy_model(config["entropy"], autoencoder)
        save_model(FOLDER / f"{stem}.safetensors", config, autoencoder, entropy_model, {})
        codec = load_codec(FOLDER / f"{stem}.safetensors")
        data = codec.compress(picture)
        (FOLDER / f"{stem}.vqz").write_bytes(data)
        np.save(FOLDER / f"{stem}.npy", codec.entropy_model.decode(unpack(data).payload, 6, 10).astype(np.uint8))
        Image.fromarray(codec.decompress(data)).save(FOLDER / f"{stem}.png")


if __name__ == "__main__":
    main()
