"""Compiled kernels: how they are made, run in threads, and when they are worth loading."""
