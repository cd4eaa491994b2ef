"""The models that come with the package."""

from pathlib import Path

from vqvae.errors import ModelFileError
from vqvae.models.file import read_model

FOLDER = Path(__file__).parent / "weights"
SMALL_IMAGES, PHOTOGRAPHS = "cifar10-rvq-16", "photo"
SPEECH_FOLDER, SPEECH = FOLDER / "speech", "speech"
SMALL = 64 * 64  # pixels


def shipped_models() -> dict[str, Path]:
    """Each shipped model's file, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def find_model(name: str) -> Path:
    """The file of a model given by the name of a shipped one or by a path.

    Raises:
        ModelFileError: neither a shipped model nor a file.
    """
    shipped = shipped_models()
    if name in shipped:
        return shipped[name]
    if not Path(name).is_file():
        raise ModelFileError(f"{name}: neither a file nor a shipped model ({', '.join(shipped)})")
    return Path(name)


def find_speech_model(name: str = SPEECH) -> Path:
    """The file of a speech model given by the name of a shipped one or by a path.

    Raises:
        ModelFileError: neither a shipped model nor a file.
    """
    shipped = SPEECH_FOLDER / f"{name}.safetensors"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        raise ModelFileError(f"{name}: neither a file nor a shipped speech model ({SPEECH})")
    return path


def default_model(pixels: int, many_rates: bool = False) -> Path:
    """The file of the model that suits an image best.

    Args:
        pixels: how many the image has.
        many_rates: whether a rate shall be chosen, which not all models allow.
    """
    return find_model(SMALL_IMAGES if pixels <= SMALL and not many_rates else PHOTOGRAPHS)


def find_model_of(fingerprint: bytes) -> Path:
    """The shipped model one of whose fingerprints begins like this.

    Raises:
        ModelFileError: none does.
    """
    for path in shipped_models().values():
        if any(own.startswith(fingerprint) for own in read_model(path).fingerprints):
            return path
    raise ModelFileError(
        f"made with a model that is not shipped (fingerprint {fingerprint.hex()}): name its file with --model"
    )
