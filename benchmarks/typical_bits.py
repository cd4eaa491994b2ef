"""Measures the typical bits of a variable-rate model's indices, and writes them into its file: encoders choose better.

    python -m benchmarks.typical_bits MODEL.safetensors FOLDER

FOLDER holds photographs to count on, such as those of the training. The id of the model stays as it is.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from vqvae.bulk.plan import find_files
from vqvae.codec import ImageCodec
from vqvae.codec.rate_control import TypicalBits
from vqvae.media.images import READABLE, read_image
from vqvae.models.file import load_codec, read_model, save_model

LEVELS = 11


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crop", type=int, default=512, help="largest height and width that is taken of an image")
    arguments = parser.parse_args()
    codec, model = load_codec(arguments.model), read_model(arguments.model)
    assert codec.chooser, "the model has one rate"
    codec.chooser.typical_bits = None
    images = [read_image(path) for path in find_files(arguments.folder, READABLE).files]
    crops = [image[: arguments.crop, : arguments.crop] for image in images]
    typical = measure(codec, crops)
    parts = codec.autoencoder, codec.entropy_model, model.about, codec.model_id.aliases
    save_model(arguments.model, model.config, *parts, typical_bits=typical)
    assert load_codec(arguments.model).model_id == codec.model_id


def measure(codec: ImageCodec, images: list[np.ndarray]) -> TypicalBits:
    """By histograms of the indices chosen at each of LEVELS qualities."""
    quantizer = codec.autoencoder.quantizer
    counts = np.zeros((LEVELS, quantizer.num_indices, max(quantizer.index_sizes)))
    for image in track(images):
        for level in range(LEVELS):
            indices = codec.indices(image[None], 100 * level / (LEVELS - 1))
            for stage in range(indices.shape[-1]):
                counts[level, stage] += np.bincount(indices[..., stage].ravel(), minlength=counts.shape[2])
    return TypicalBits.from_counts(torch.from_numpy(counts))


if __name__ == "__main__":
    main()
