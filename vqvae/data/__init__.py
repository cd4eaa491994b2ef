"""Data modules: images or vectors in batches, for training, validation and test."""

from vqvae.data.base import ImageDataModule
from vqvae.data.cifar10 import CIFAR10, load_cifar10
from vqvae.data.folder import ImageFolder
from vqvae.data.gaussian import Autoregressive, LowRank
from vqvae.data.sample import SamplePhotos
from vqvae.data.vectors import VectorDataModule

__all__ = [
    "CIFAR10",
    "Autoregressive",
    "ImageDataModule",
    "ImageFolder",
    "LowRank",
    "SamplePhotos",
    "VectorDataModule",
    "load_cifar10",
]
