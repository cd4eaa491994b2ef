"""Compiled kernels: compilation, threads, dispatch."""
