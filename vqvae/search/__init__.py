"""Nearest-neighbour search among the vectors that indices stand for."""

from vqvae.search.index import Index, SearchResult

__all__ = ["Index", "SearchResult"]
