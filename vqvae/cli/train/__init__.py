"""The training command: `train.py`, also installed as `vqvae-train`."""

import sys

from vqvae.errors import MissingPackageError, needs_extra


def run() -> None:
    """Runs the training command, and says in one line what to install where the packages for it are missing."""
    try:
        with needs_extra("train"):
            from vqvae.cli.train.main import main
    except MissingPackageError as error:
        sys.exit(f"error: {error}")
    main()
