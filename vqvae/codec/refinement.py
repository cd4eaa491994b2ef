"""Latents refined through the decoder: an encoder that searches longer, for files that any decoder reads."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from vqvae.codec.rate_control import QualityChooser, decode_vectors
from vqvae.codec.transform import ImageTransform
from vqvae.errors import UsageError

EFFORT_STEPS = (0, 2, 4, 8, 16, 30, 60, 100, 180, 300)
"""Steps of refinement at each effort."""

SHARE = 0.15
"""Of the way to where the decoder's gradient leads that the latents go in a step."""


def steps_of(effort: int) -> int:
    """Steps of an effort.

    Raises:
        UsageError: it is not from 0 to 9.
    """
    if not 0 <= effort < len(EFFORT_STEPS):
        raise UsageError(f"the effort is {effort}, but must be from 0 to {len(EFFORT_STEPS) - 1}")
    return EFFORT_STEPS[effort]


def refine(
    transform: ImageTransform,
    image: UInt8[np.ndarray, "1 H W 3"],
    vectors: Float32[np.ndarray, "1 h w D"],
    chooser: QualityChooser,
    rate: float | None,
    steps: Iterable[int],
) -> Int64[np.ndarray, "1 h w m"]:
    """The indices of least distortion of the image + λ · bits that were found.

    Each step moves the latents from those that were quantised towards where a Gauss-Newton step on the decoded image's
    error leads, as if the decoder were an isometry but for a scale, and chooses indices anew.

    Args:
        transform: the networks.
        image: what is to be coded.
        vectors: its latents, to begin with.
        chooser: of the quality.
        rate: from 0 to 1, for networks that take one.
        steps: may end at any time, or by a KeyboardInterrupt: the best so far is kept.
    """
    quantizer = transform.autoencoder.quantizer
    best = chooser.choose([vectors])
    values = decode_vectors(quantizer, best)
    scale, latents = transform.error_scale(vectors, values, rate), vectors
    error, gradient = transform.error_gradient(values, image, rate)
    least = error + scale * chooser.lmbda * chooser.bits(best)
    try:
        for _ in steps:
            latents = latents + np.float32(SHARE) * (values - gradient / np.float32(2 * scale) - latents)
            indices = chooser.choose([latents])
            values = decode_vectors(quantizer, indices)
            error, gradient = transform.error_gradient(values, image, rate)
            cost = error + scale * chooser.lmbda * chooser.bits(indices)
            if cost < least:
                least, best = cost, indices
    except KeyboardInterrupt:
        pass
    return best
