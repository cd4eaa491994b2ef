"""Nearest-neighbour search among quantised vectors."""

from vqvae.search.index import Index, SearchResult

__all__ = ["Index", "SearchResult"]
