"""Compiled kernels: how they are made, run in threads, and chosen."""
