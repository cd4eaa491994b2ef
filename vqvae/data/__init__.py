"""Data modules: images in batches, for training, validation and test."""

from vqvae.data.base import ImageDataModule
from vqvae.data.cifar10 import CIFAR10, load_cifar10
from vqvae.data.folder import ImageFolder
from vqvae.data.sample import SamplePhotos

__all__ = ["CIFAR10", "ImageDataModule", "ImageFolder", "SamplePhotos", "load_cifar10"]
