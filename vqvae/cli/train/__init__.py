"""The training command: `train.py`, also installed as `vqvae-train`."""
