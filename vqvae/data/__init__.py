"""Data modules: images or vectors in batches, for training, validation and test; and sets of vectors to search in."""

from vqvae.data.base import ImageDataModule
from vqvae.data.cifar10 import CIFAR10, load_cifar10
from vqvae.data.descriptors import Descriptors
from vqvae.data.folder import ImageFolder
from vqvae.data.gaussian import Autoregressive, LowRank
from vqvae.data.sample import SamplePhotos
from vqvae.data.texmex import VectorSet, open_set, read_vectors
from vqvae.data.vectors import VectorDataModule

__all__ = [
    "CIFAR10",
    "Autoregressive",
    "Descriptors",
    "ImageDataModule",
    "ImageFolder",
    "LowRank",
    "SamplePhotos",
    "VectorDataModule",
    "VectorSet",
    "load_cifar10",
    "open_set",
    "read_vectors",
]
