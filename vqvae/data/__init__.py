"""Data modules: images in batches, for training, validation and test. And sets of vectors for search."""

from vqvae.data.base import ImageDataModule
from vqvae.data.cifar10 import CIFAR10, load_cifar10
from vqvae.data.folder import ImageFolder
from vqvae.data.sample import SamplePhotos
from vqvae.data.texmex import VectorSet, open_set, read_vectors

__all__ = [
    "CIFAR10",
    "ImageDataModule",
    "ImageFolder",
    "SamplePhotos",
    "VectorSet",
    "load_cifar10",
    "open_set",
    "read_vectors",
]
