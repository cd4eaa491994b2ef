"""VQ image compression: train vector-quantised autoencoders, and compress real files with them."""

__version__ = "0.1.0"
