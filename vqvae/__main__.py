"""`python -m vqvae` is the command `vqvae`."""

from vqvae.cli.main import main

main()
