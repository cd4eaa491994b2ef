"""Compresses images: python compress.py --help."""

from vqvae.cli.compress import main

if __name__ == "__main__":
    main()
