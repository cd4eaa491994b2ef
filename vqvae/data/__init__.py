"""Data modules: images or vectors in batches, for training, validation and test."""

from vqvae.data.autoregressive import Autoregressive
from vqvae.data.base import ImageDataModule
from vqvae.data.cifar10 import CIFAR10, load_cifar10
from vqvae.data.folder import ImageFolder
from vqvae.data.sample import SamplePhotos
from vqvae.data.vectors import VectorDataModule

__all__ = [
    "CIFAR10",
    "Autoregressive",
    "ImageDataModule",
    "ImageFolder",
    "SamplePhotos",
    "VectorDataModule",
    "load_cifar10",
]
