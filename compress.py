"""Compresses images: python compress.py --help."""

from vqvae.cli.main import main

if __name__ == "__main__":
    main()
