"""Trains a model: python train.py [experiment=NAME] [key=value …]; python train.py --help lists the configs."""

from vqvae.cli.train import run

if __name__ == "__main__":
    run()
