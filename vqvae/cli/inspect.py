"""The facts of files, and of the bundled models."""

from pathlib import Path
from typing import Any

from vqvae.cli.tables import number, print_table
from vqvae.entropy import EntropyModel
from vqvae.errors import UnknownModelError, errors_of
from vqvae.formats.vqa.reader import VERSION as ARCHIVE_VERSION
from vqvae.formats.vqa.reader import Archive
from vqvae.formats.vqz import HINT_BYTES, UnverifiedFile, split
from vqvae.models.file import load_codec, read_model
from vqvae.models.registry import components
from vqvae.models.speech import load_speech
from vqvae.models.store import ModelStore, bundled_models, bundled_speech_models
from vqvae.speech.codec import HIGHEST_RATE, LOWEST_RATE
from vqvae.speech.mdct import SAMPLE_RATE


def describe_file(path: Path) -> dict[str, Any]:
    """The facts of a .vqz file, by name.

    Raises:
        BitstreamError: it is not a .vqz file, or damaged.
    """
    data = path.read_bytes()
    with errors_of(path):
        file = split(data)
        model = _find_model(file)
        coded, chunks = file.coded, file.chunks
    pixels = file.width * file.height
    return {
        "file": str(path),
        "version": file.version,
        "width": file.width,
        "height": file.height,
        "model": model,
        "model_id": file.hint.hex(),
        "entropy_model": _entropy_model(coded.entropy_code),
        "bytes": len(data),
        "stages": len(coded.sections) if coded.progressive else "all",
        "payload_bytes": coded.payload_bytes,
        **{f"{kind.name.lower()}_bytes": len(chunk) for kind, chunk in chunks.items()},
        "bpp": 8 * len(data) / pixels,
        "payload_bpp": 8 * coded.payload_bytes / pixels,
    }


def describe_archive(archive: Archive) -> dict[str, Any]:
    """The facts of an archive, by name, and under `per_image` those of each image."""
    pixels = float(archive.widths.astype(float) @ archive.heights)
    payload_bytes = int(archive.lengths.sum())
    besides = archive.end - payload_bytes - archive.names_bytes
    rows = zip(archive.names, archive.widths, archive.heights, archive.lengths, strict=True)
    return {
        "file": str(archive.path),
        "version": ARCHIVE_VERSION,
        "images": len(archive),
        "named": archive.named,
        "model": _find_model_of_archive(archive),
        "model_id": archive.header.model_hint.hex(),
        "bytes": archive.end,
        "payload_bytes": payload_bytes,
        "names_bytes": archive.names_bytes,
        "other_bytes_per_image": besides / len(archive) if len(archive) else None,
        "torn_bytes": archive.torn_bytes,
        "bpp": 8 * archive.end / pixels if pixels else None,
        "payload_bpp": 8 * payload_bytes / pixels if pixels else None,
        "per_image": [
            {"name": name, "width": int(width), "height": int(height), "payload_bytes": int(length)}
            for name, width, height, length in rows
        ],
    }


def print_facts(facts: dict[str, Any]) -> None:
    """Prints facts, one per line, and then the images of an archive."""
    for key, value in facts.items():
        if key != "per_image":
            print(f"{key}: {value}")
    for image in facts.get("per_image", ()):
        size = f"{image['width']}×{image['height']}"
        print(f"{size:>13} {image['payload_bytes']:>10} bytes  {image['name']}")


def _entropy_model(code: int) -> str:
    """The registered name of the kind of entropy model that has this code in files; the code where none has."""
    return next((name for name, kind in components(EntropyModel).items() if kind.code == code), str(code))


def _find_model(file: UnverifiedFile) -> str | None:
    """The bundled model that made a file; None for another one, whose files cannot be checked without it."""
    store = ModelStore()
    try:
        return store.paths[file.verify(store.paths)].stem
    except UnknownModelError:
        return None


def _find_model_of_archive(archive: Archive) -> str | None:
    try:
        return ModelStore().path_for_archive(archive).stem
    except UnknownModelError:
        return None


def describe_models() -> list[dict[str, Any]]:
    """The figures of each bundled model for images, by name."""
    from vqvae.evaluation.macs import macs_per_pixel  # brings torchmetrics, which `info` does without

    rows = []
    for name, path in bundled_models().items():
        model, autoencoder = read_model(path), load_codec(path).autoencoder
        quantizer = autoencoder.quantizer
        reached = model.about.get("test", {})
        macs = macs_per_pixel(autoencoder)
        rows.append(
            {
                "model": name,
                "quantizer": type(quantizer).__name__,
                "indices": quantizer.num_indices,
                "codewords": max(quantizer.index_sizes),
                "payload_bpp": reached.get("payload_bpp", autoencoder.bits_per_pixel),
                "psnr_dataset": reached.get("psnr_dataset"),
                "variable_rate": "qualities" in model.config,
                "parameters": sum(p.numel() for p in autoencoder.parameters()),
                "encoder_macs": macs.encoder,
                "decoder_macs": macs.decoder,
                "bytes": path.stat().st_size,
                "model_id": model.model_id.whole.hex()[: 2 * HINT_BYTES],
            }
        )
    return rows


def describe_speech_models() -> list[dict[str, Any]]:
    """The figures of each bundled model for speech, by name."""
    rows = []
    for name, path in bundled_speech_models().items():
        codec = load_speech(path)
        quantizer = codec.model.quantizer
        rows.append(
            {
                "model": name,
                "quantizer": type(quantizer).__name__,
                "indices": quantizer.num_indices,
                "codewords": max(quantizer.index_sizes),
                "bands": quantizer.dim,
                "kbps": [LOWEST_RATE, HIGHEST_RATE],
                "sample_rate": SAMPLE_RATE,
                "bytes": path.stat().st_size,
                "model_id": codec.model_id.hex()[: 2 * HINT_BYTES],
            }
        )
    return rows


def print_models(rows: list[dict[str, Any]]) -> None:
    """Prints a row for each model."""
    columns = [
        *("model", "quantiser", "payload bpp", "test PSNR", "quality"),
        *("parameters", "kMAC/pixel", "size", "id"),
    ]
    print_table(
        columns,
        [
            [
                row["model"],
                f"{row['quantizer']} {row['indices']}×{row['codewords']}",
                number(row["payload_bpp"], ".3g"),
                "-" if row["psnr_dataset"] is None else f"{row['psnr_dataset']:.2f} dB",
                "0 to 100" if row["variable_rate"] else "-",
                f"{row['parameters']:,}",
                f"{row['encoder_macs'] / 1000:.1f} + {row['decoder_macs'] / 1000:.1f}",
                f"{row['bytes'] / 1e6:.2f} MB",
                row["model_id"],
            ]
            for row in rows
        ],
    )


def print_speech_models(rows: list[dict[str, Any]]) -> None:
    """Prints a row for each model for speech."""
    print_table(
        ["model", "quantiser", "bands", "rate", "sampling", "size", "id"],
        [
            [
                row["model"],
                f"{row['quantizer']} {row['indices']}×{row['codewords']}",
                str(row["bands"]),
                "{:g} to {:g} kbit/s".format(*row["kbps"]),
                f"{row['sample_rate']} Hz",
                f"{row['bytes'] / 1e6:.2f} MB",
                row["model_id"],
            ]
            for row in rows
        ],
    )
