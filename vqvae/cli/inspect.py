"""What is in a file, and which models there are."""

from pathlib import Path
from typing import Any

from vqvae.cli.tables import print_table
from vqvae.coding import Context, Histogram, Uniform, unpack
from vqvae.coding.container import FINGERPRINT_BYTES
from vqvae.errors import BitstreamError, ModelFileError
from vqvae.model_file import load_codec, read_model
from vqvae.pretrained import find_model_of, shipped_models

ENTROPY_MODELS = {model.code: model.__name__ for model in (Uniform, Histogram, Context)}


def describe_file(path: Path) -> dict[str, Any]:
    """The facts of a .vqz file, by name.

    Raises:
        BitstreamError: it is none, or damaged.
    """
    data = path.read_bytes()
    try:
        container = unpack(data)
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from None
    try:
        model = find_model_of(container.fingerprint).stem
    except ModelFileError:
        model = None
    pixels = container.width * container.height
    return {
        "file": str(path),
        "version": data[2] >> 4,
        "width": container.width,
        "height": container.height,
        "model": model,
        "model_fingerprint": container.fingerprint.hex(),
        "entropy_model": ENTROPY_MODELS.get(container.entropy_code, str(container.entropy_code)),
        "bytes": len(data),
        "stages": len(container.sections) if container.progressive else "all",
        "payload_bytes": container.payload_bytes,
        "bpp": 8 * len(data) / pixels,
        "payload_bpp": 8 * container.payload_bytes / pixels,
    }


def print_models() -> None:
    """Prints a table of the shipped models."""
    rows = []
    for name, path in shipped_models().items():
        model, autoencoder = read_model(path), load_codec(path).autoencoder
        quantizer = autoencoder.quantizer
        reached = model.about.get("test", {}).get("psnr_dataset")
        rows.append(
            (
                name,
                f"{type(quantizer).__name__} {quantizer.stages}×{quantizer.codebook_size}",
                f"{autoencoder.bits_per_pixel:.3g}",
                f"{reached:.2f} dB" if reached else "-",
                f"{sum(p.numel() for p in autoencoder.parameters()):,}",
                f"{path.stat().st_size / 1e6:.2f} MB",
                model.fingerprints.whole.hex()[: 2 * FINGERPRINT_BYTES],
            )
        )
    print_table(("model", "quantiser", "bpp", "test PSNR", "parameters", "size", "fingerprint"), rows)
