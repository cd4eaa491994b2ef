"""Nearest-neighbour search among the vectors that indices stand for."""

from vqvae.search.index import Found, Index

__all__ = ["Found", "Index"]
